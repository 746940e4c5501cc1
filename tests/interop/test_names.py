"""What plugin-compat-celery is held to, public names and values of small functions, is what the real Celery has."""

import subprocess
from pathlib import Path

import pytest

from kernel_conformance import provision

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "plugins/compat_celery/tests"


@pytest.mark.parametrize(("program", "printed"), [
    ("names/list_names.py", "names/celery-5.7.0.txt"),
    ("utils/expressions.py", "utils/expressions.txt"),
])  # fmt: skip
def test_it_is_what_celery_has(program: str, printed: str) -> None:
    python = provision.venv("interop", ROOT / "requirements/interop.txt") / "python"
    done = subprocess.run(
        [python, TESTS / program], capture_output=True, text=True, check=False, timeout=120, cwd=TESTS
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == (TESTS / printed).read_text().splitlines()
