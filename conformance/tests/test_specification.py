"""The generated pages say what the suites say."""

import importlib.util
from pathlib import Path

import pytest

from kernel_conformance.registry import KINDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_up_to_date(kind):
    spec = importlib.util.spec_from_file_location("generate_conformance", DOCS / "generate_conformance.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = (DOCS / "conformance" / f"{kind}.md").read_text()
    assert written == script.page(kind).rstrip() + "\n", "run `make docs` and commit what it writes"
