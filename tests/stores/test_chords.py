"""A thousand members on a store that goes away in the middle (pains P09).

All stores are away at the same time, so that the gate waits once; each comes back in its own test.
"""

import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel import Kernel, chord
from kernel.contracts import CLAIM_S
from kernel.exceptions import ChordError
from kernel.testing import start_worker
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.stalls import Stalls

from .conftest import SERVED, started

pytestmark = pytest.mark.timed

WAIT_S = 120
AWAY_S = 20.0
MANY, FEW = 1000, 100
NUMBERS = itertools.count()


class File:
    """Results in a file. It is away while another program has it locked."""

    def __init__(self, folder: Path) -> None:
        self.settings = {"backend": f"sqlite:///{folder / 'results.sqlite3'}"}
        self._path = folder / "results.sqlite3"
        self._other: sqlite3.Connection | None = None

    def leave(self) -> None:
        self._other = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        self._other.execute("BEGIN IMMEDIATE")

    def come_back(self) -> None:
        if self._other is not None:
            self._other.close()


class Server:
    """A server behind a proxy. It is away while nobody can connect to it."""

    def __init__(self, name: str, stack: contextlib.ExitStack) -> None:
        store = stack.enter_context(contextlib.contextmanager(started)(name))
        assert store.harness is not None
        address = store.harness.address()
        assert address is not None
        self._proxy = stack.enter_context(ChaosProxy(address))
        self.settings = {
            "backend": store.harness.url_at(self._proxy.address),
            "namespace": f"chords{next(NUMBERS)}",
            "result_backend_transport_options": dict(store.harness.options),
        }

    def leave(self) -> None:
        self._proxy.trouble.refuse = True
        self._proxy.reset()

    def come_back(self) -> None:
        self._proxy.heal()


class Stage:
    """An application whose tasks note when members end, and what follows them.

    A few members run, and the rest when the store is away, however fast or slow the machine is. Messages are kept in
    memory, so that nobody waits for a disk that others use.
    """

    def __init__(self, place: File | Server) -> None:
        self.place = place
        self.app = Kernel(
            "chords",
            broker=f"memory://chords{next(NUMBERS)}",
            result_backend_max_sleep_between_retries_ms=500,
            set_as_current=False,
            **place.settings,
        )
        self.lock, self.seen, self.ran, self.ended, self.left = threading.Lock(), [], 0, 0.0, 0.0
        self.away = threading.Event()
        stage = self

        @self.app.task(name="member", bind=True, acks_late=True, max_retries=None)
        def member(self, n, fails=False, retries=0):
            if n >= FEW:
                stage.away.wait(WAIT_S)
            with stage.lock:
                stage.ran, stage.ended = stage.ran + 1, time.monotonic()
            if self.request.retries < retries:
                raise self.retry(countdown=0.5)
            if fails:
                raise ValueError(n)
            return n

        @self.app.task(name="body", acks_late=True)
        def body(values):
            stage.note("body", sum(values))
            return sum(values)

        @self.app.task(name="told")
        def told(request, exc, traceback):
            stage.note("told", request.id)

        self.member, self.body, self.told = member, body, told

    def note(self, *what):
        with self.lock:
            self.seen.append((what, self.ended, time.monotonic()))

    def chord(self, failing):
        header = (self.member.s(n, fails=failing and n % 20 == 0, retries=n < 3) for n in range(MANY))
        return chord(header)(self.body.s().on_error(self.told.s()))

    def run_until_it_leaves(self) -> None:
        """Take the store away after a few of the members."""
        until(lambda: self.ran >= FEW, "too few members have run")
        self.place.leave()
        self.left = time.monotonic()
        self.away.set()


def until(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < end, f"after {WAIT_S} s: {what}"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def stalls() -> Iterator[Stalls]:
    with Stalls() as made:
        yield made


@pytest.fixture(scope="module")
def stages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Of every store whose test runs, with a worker; all of them have just left."""
    asked = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]
    made: dict[str, Stage] = {}
    with contextlib.ExitStack() as stack:
        for name in asked:
            folder = tmp_path_factory.mktemp(name)
            made[name] = stage = Stage(File(folder) if name == "sqlite" else Server(name, stack))
            stack.callback(stage.app.close)
            if not stage.app.client.services.backend.capabilities().join:
                pytest.fail(f"backend.{name} does not join: chord_unlock is tested elsewhere, so list it here")
            stage.good, stage.bad = stage.chord(failing=False), stage.chord(failing=True)
            stack.enter_context(start_worker(stage.app, concurrency=4, loglevel="CRITICAL"))
            stack.callback(stage.place.come_back)
            stage.run_until_it_leaves()
        yield made


@pytest.mark.parametrize("name", ["sqlite", *SERVED])
def test_a_thousand_members(stages: dict[str, Stage], stalls: Stalls, name: str) -> None:
    """5 % of one chord fail, three members of both are retried, and the store is away for 20 seconds: what follows each
    runs once, at most five seconds after the last member, not counted what the machine stood still in between.
    """
    stage = stages[name]
    time.sleep(max(stage.left + AWAY_S - time.monotonic(), 0))
    assert stage.seen == [], "the chords ended although the store was away"
    stage.place.come_back()
    assert stage.good.get(timeout=WAIT_S) == sum(range(MANY))
    with pytest.raises(ChordError, match="ValueError"):
        stage.bad.get(timeout=WAIT_S)
    until(lambda: len(stage.seen) >= 2, f"only {stage.seen} of a body and an errback")
    assert sorted(what for what, _, _ in stage.seen) == [("body", sum(range(MANY))), ("told", stage.bad.id)]
    late = {what: ran - ended - stalls.between(ended, ran) for what, ended, ran in stage.seen}
    assert max(late.values()) <= CLAIM_S, late
