"""What every combination must do: `python compose.py POOL CHORD`; prints `composed` at the end.

A pool of processes is a worker of its own beside this program; the others run in it, which saves a start.
"""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from compose_app import add, app, echo, insist, look_up, total

import kernel
from kernel.exceptions import ChordError
from kernel.testing import start_worker

WAIT = 60
STOP_S = 20
TEXT = {"place": "Größe XL ", "rows": [[number, number / 4, None, True] for number in range(40)]}


def check_calls():
    calls = [add.delay(number, 1) for number in range(5)]
    assert echo.apply_async(({**TEXT, "text": TEXT["place"] * 200},)).get(timeout=WAIT)["text"] == TEXT["place"] * 200
    assert [call.get(timeout=WAIT) for call in calls] == [1, 2, 3, 4, 5]
    assert all(call.successful() for call in calls)


def check_retry():
    retried = insist.delay(2)
    assert retried.get(timeout=WAIT) == 2
    assert retried.state == "SUCCESS"


def check_failure():
    failed = look_up.delay("Größe")
    error = failed.get(timeout=WAIT, propagate=False)
    assert type(error) is LookupError, repr(error)
    assert error.args == ("there is no", "Größe"), error.args
    assert failed.failed()
    assert "LookupError" in failed.traceback


def check_group():
    result = kernel.group(add.s(number, number) for number in range(6)).apply_async()
    assert result.get(timeout=WAIT) == [0, 2, 4, 6, 8, 10]


def check_chord():
    joined = kernel.chord((add.s(number, number) for number in range(6)), total.s())()
    assert joined.get(timeout=WAIT) == 30
    broken = kernel.chord([add.s(1, 1), look_up.s("x")], total.s())()
    error = broken.get(timeout=WAIT, propagate=False)
    assert isinstance(error, ChordError), repr(error)
    assert "LookupError" in str(error)


@contextmanager
def processes():
    """A worker with two child processes."""
    command = [Path(sys.executable).with_name("kernel"), "-A", "compose_app", "worker", "--concurrency", "2"]
    with subprocess.Popen(command, cwd=Path(__file__).parent, env=dict(os.environ)) as worker:
        try:
            yield
            assert worker.poll() is None, "the worker has ended"
        finally:
            worker.send_signal(signal.SIGTERM)
            try:
                ended = worker.wait(STOP_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                raise
        assert ended == 0, f"the worker ended with {ended}"


def main(pool, chord):
    worker = (
        processes()
        if pool == "prefork"
        else start_worker(app, pool=pool, concurrency=1 if pool == "solo" else 2, force_root=True)
    )
    with worker:
        check_calls()
        check_retry()
        check_failure()
        check_group()
        if chord == "chord":
            check_chord()
    app.close()
    print("composed")


main(*sys.argv[1:])
