"""The watch over the machine: what it counts, and what it does not."""

import os
import signal
import subprocess
import sys

import pytest

from kernel_conformance.stalls import IGNORED_S, Stalls

STOPPED = """
import sys, time
from kernel_conformance.stalls import Stalls
with Stalls() as stalls:
    began = time.monotonic()
    print("ready", flush=True)
    sys.stdin.readline()
    print(stalls.between(began, time.monotonic() + 1))
"""


def test_only_what_lies_between_counts():
    stalls = Stalls()
    stalls.woken(10.0, 12.0)
    stalls.woken(20.0, 20.0 + IGNORED_S / 2)
    assert stalls.between(0, 100) == 2.0
    assert stalls.between(11, 100) == 1.0
    assert stalls.between(0, 10.5) == 0.5
    assert stalls.between(12, 100) == 0.0


def test_a_process_that_is_stopped_was_not_run():
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        os.kill(process.pid, signal.SIGCONT)
        out, _ = process.communicate("\n", timeout=60)
    assert float(out) > 0.5
