"""The list of public names that plugin-compat-celery is held to is what the real Celery has."""

import subprocess
from pathlib import Path

from kernel_conformance import provision

ROOT = Path(__file__).parents[2]
NAMES = ROOT / "plugins/compat_celery/tests/names"


def test_the_list_is_celerys() -> None:
    python = provision.venv("interop", ROOT / "requirements/interop.txt") / "python"
    done = subprocess.run(
        [python, NAMES / "list_names.py"], capture_output=True, text=True, check=False, timeout=120, cwd=NAMES
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == (NAMES / "celery-5.7.0.txt").read_text().splitlines()
