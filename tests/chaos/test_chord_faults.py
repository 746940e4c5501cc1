"""Chords when workers are killed between any two writes, and when messages come twice.

With the result store away: ``tests/stores/test_chords.py``.
"""

import importlib
import sys
import threading
from collections import Counter

import pytest

from kernel import Kernel, chord
from kernel.contracts import Deadline
from kernel.exceptions import ChordError
from kernel.testing import start_worker

from .conftest import until

pytestmark = [pytest.mark.slow, pytest.mark.timed]

APP = """
import os, signal
from pathlib import Path
from kernel import Kernel
from kernel.runtime import joiner, joins, publisher, store

HERE = Path(__file__).parent
URL = f"sqlite:///{HERE / 'chaos.sqlite3'}"
# One task at a time in a process, and armed for no other: who is killed is known.
app = Kernel("chaos", broker=URL, backend=URL, worker_handout_max=1)
armed = set()


def note(text):
    with open(HERE / "log.txt", "a") as log:
        log.write(text + "\\n")


def die(point):
    for name in armed:
        if name.removesuffix("-failing") == point and not (HERE / name).exists():
            (HERE / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)


def around(kind, name):
    real = getattr(kind, name)

    def wrapped(self, *args, **kwargs):
        die(f"before-{name}")
        found = real(self, *args, **kwargs)
        die(f"after-{name}")
        return found

    setattr(kind, name, wrapped)


around(store.Store, "all")
around(joins.BackendJoins, "report")
around(joins.BackendJoins, "joined")
around(joiner.Joiner, "_begin")
around(joiner.Joiner, "fail")


@app.task(acks_late=True)
def member(n, point=None, fails=False):
    armed.clear()
    if point is not None:
        armed.add(point)
    if fails:
        raise ValueError(n)
    return n


@app.task(acks_late=True)
def body(values, name):
    armed.clear()
    note(f"body {name} {sum(values)}")
    return sum(values)


@app.task
def told(name, request, exc, traceback):
    note(f"told {name} {type(exc).__name__}")
"""

POINTS = ["before-all", "after-all", "before-report", "after-report", "before-joined", "after-joined"]
"""Where a member is killed: around its record, its report to the join, and the end of the chord."""


@pytest.fixture
def killed(site):
    (site.path / "chaosapp.py").write_text(APP)
    sys.modules.pop("chaosapp", None)
    return importlib.import_module("chaosapp")


def test_a_member_killed_at_any_point_loses_no_body_and_sends_none_twice(site, killed):
    """The last member to report dies once: at the latest when the claim on the chord is over, its repeat goes on.
    Errbacks that are called, and not sent, may be called again when their process dies right then.
    """
    points = [*POINTS, "before-_begin", "after-_begin"]
    failing = [f"{point}-failing" for point in (*POINTS, "before-fail", "after-fail")]
    results = {}
    for point in points:
        header = [killed.member.s(1), killed.member.s(2), killed.member.s(4, point).set(countdown=1.5)]
        results[point] = chord(header)(killed.body.s(name=point))
    for point in failing:
        header = [killed.member.s(1), killed.member.s(4, point, fails=True).set(countdown=1.5)]
        results[point] = chord(header)(killed.body.s(name=point).on_error(killed.told.s(point)))
    site.worker("-c", "2")
    for name, result in results.items():
        if name in failing:
            with pytest.raises(ChordError, match="ValueError"):
                result.get(timeout=90)
        else:
            assert result.get(timeout=90) == 7
    bodies = Counter(line for line in site.log() if line.startswith("body"))
    assert bodies == {f"body {point} 7": 1 for point in points}
    assert [point for point in (*points, *failing) if not (site.path / point).exists()] == []

    def told():
        return {line.split()[1] for line in site.log() if line.startswith("told")}

    until(lambda: told() == set(failing), what="every errback to be called")


class Stage:
    """An application with its result store in a file of its own."""

    def __init__(self, path):
        self.app = app = Kernel(
            "faults",
            broker=f"sqlite:///{path / 'broker.sqlite3'}",
            backend=f"sqlite:///{path / 'results.sqlite3'}",
            set_as_current=False,
        )
        self.lock, self.seen = threading.Lock(), []
        stage = self

        @app.task(name="member", acks_late=True)
        def member(n, fails=False):
            if fails:
                raise ValueError(n)
            return n

        @app.task(name="body", acks_late=True)
        def body(values):
            stage.note(("body", sum(values)))
            return sum(values)

        @app.task(name="told")
        def told(request, exc, traceback):
            stage.note(("told", request.id))

        self.member, self.body, self.told = member, body, told

    def note(self, what):
        with self.lock:
            self.seen.append(what)


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path)
    yield made
    made.app.close()


def test_every_message_of_a_chord_twice(stage, monkeypatch):
    """Members that come twice count once, and their chord ends once."""
    broker = stage.app.client.services.broker
    real = broker.publish
    monkeypatch.setattr(broker, "publish", lambda items, deadline: (real(items, deadline), real(items, deadline))[0])
    good = chord(stage.member.s(n) for n in range(30))(stage.body.s())
    bad = chord(stage.member.s(n, fails=n == 7) for n in range(30))(stage.body.s().on_error(stage.told.s()))
    with start_worker(stage.app, concurrency=4, loglevel="CRITICAL"):
        assert good.get(timeout=60) == sum(range(30))
        with pytest.raises(ChordError):
            bad.get(timeout=60)
        waiting = stage.app.client.services.broker

        def empty():
            depth = waiting.depth(["kernel"], Deadline.after(5))["kernel"]
            return not (depth.ready or depth.in_flight or depth.delayed)

        until(empty, 60, "the queue to be empty")
    assert sorted(stage.seen) == [("body", sum(range(30))), ("told", bad.id)]
