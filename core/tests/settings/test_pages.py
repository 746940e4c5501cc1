"""The documentation of settings: every row has its line, and the generated page is current."""

import importlib.util
from pathlib import Path

import pytest

from kernel.app.setting_table import SETTINGS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_has_one_line_of_documentation(name):
    doc = SETTINGS[name].doc
    assert doc
    assert doc == doc.strip()
    assert "\n" not in doc
    assert "|" not in doc


def test_the_page_of_settings_is_current():
    script = ROOT / "docs" / "generate_settings.py"
    spec = importlib.util.spec_from_file_location("generate_settings", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run: python docs/generate_settings.py"
    assert all(f"| `{name}` |" in module.page() for name in SETTINGS)
