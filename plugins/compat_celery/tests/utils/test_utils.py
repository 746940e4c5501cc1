"""Small things that applications import from ``celery.utils`` and its like give what Celery's give.

``expressions.txt`` holds expressions with the values they have over the real one; tests/interop asks it again.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_expressions_have_the_values_that_they_have_over_celery() -> None:
    done = subprocess.run(
        [sys.executable, HERE / "expressions.py", "--ours"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == (HERE / "expressions.txt").read_text().splitlines()
