"""`mypy --strict` finds nothing in any distribution, and would find what it is there to find."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [str(path) for pattern in ("core/src", "plugins/*/src", "conformance/src") for path in ROOT.glob(pattern)]

pytestmark = pytest.mark.slow


def mypy(*paths: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", *paths]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_all_distributions_are_strictly_typed() -> None:
    run = mypy(*SOURCES)
    assert run.returncode == 0, run.stdout


def test_an_untyped_function_is_found(tmp_path: Path) -> None:
    (tmp_path / "untyped.py").write_text("def double(x):\n    return x * 2\n")
    run = mypy(str(tmp_path / "untyped.py"))
    assert run.returncode == 1
    assert "[no-untyped-def]" in run.stdout
