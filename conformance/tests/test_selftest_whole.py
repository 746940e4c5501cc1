"""No saboteur survives, and no control is accused: the suite catches what it is for."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_every_saboteur_is_killed():
    command = [sys.executable, "-m", "kernel", "conformance", "selftest", "--jobs", "4"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr
    killed, _, known = run.stdout.splitlines()[-1].removesuffix(" saboteurs killed").partition(" of ")
    assert int(killed) == int(known) >= 25
