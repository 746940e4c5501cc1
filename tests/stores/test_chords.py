"""A thousand members on a store that goes away in the middle (pains P09)."""

import itertools
import threading
import time
from pathlib import Path

import pytest

from kernel import Kernel, chord
from kernel.contracts import CLAIM_S
from kernel.exceptions import ChordError
from kernel.testing import start_worker
from kernel_conformance.proxy import ChaosProxy

from .conftest import Store

WAIT_S = 120
AWAY_S = {"redis": 20.0}
"""How long the store is away; elsewhere it is less, for the gate's sake, and still longer than a claim."""
LESS_S = 8.0
MANY = 1000
NUMBERS = itertools.count()


class Stage:
    """An application whose tasks note when members end, and what follows them."""

    def __init__(self, served: Store, url: str, folder: Path) -> None:
        assert served.harness is not None
        self.app = Kernel(
            "chords",
            broker=f"sqlite:///{folder / 'broker.sqlite3'}",
            backend=url,
            namespace=f"chords{next(NUMBERS)}",
            result_backend_transport_options=dict(served.harness.options),
            result_backend_max_sleep_between_retries_ms=500,
            set_as_current=False,
        )
        self.lock, self.seen, self.ran, self.ended = threading.Lock(), [], 0, 0.0
        stage = self

        @self.app.task(name="member", bind=True, acks_late=True, max_retries=None)
        def member(self, n, fails=False, retries=0):
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
            self.seen.append((what, time.monotonic() - self.ended))

    def chord(self, failing):
        header = (self.member.s(n, fails=failing and n % 20 == 0, retries=n < 3) for n in range(MANY))
        return chord(header)(self.body.s().on_error(self.told.s()))


def test_a_thousand_members(served: Store, tmp_path: Path) -> None:
    """5 % of one chord fail, three members of both are retried: what follows each runs once, at most five seconds
    after the last member.
    """
    assert served.harness is not None
    address = served.harness.address()
    assert address is not None
    with ChaosProxy(address) as proxy:
        stage = Stage(served, served.harness.url_at(proxy.address), tmp_path)
        if not stage.app.client.services.backend.capabilities().join:
            stage.app.close()
            pytest.fail(f"backend.{served.name} does not join: chord_unlock is tested elsewhere, so list it here")
        good, bad = stage.chord(failing=False), stage.chord(failing=True)
        with start_worker(stage.app, concurrency=4, loglevel="CRITICAL"):
            deadline = time.monotonic() + WAIT_S
            while stage.ran < MANY / 10:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            proxy.trouble.refuse = True
            proxy.reset()
            time.sleep(AWAY_S.get(served.name, LESS_S))
            assert stage.seen == [], "the chords ended before the store went away"
            proxy.heal()
            assert good.get(timeout=WAIT_S) == sum(range(MANY))
            with pytest.raises(ChordError, match="ValueError"):
                bad.get(timeout=WAIT_S)
            while len(stage.seen) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        stage.app.close()
    assert sorted(what for what, _ in stage.seen) == [("body", sum(range(MANY))), ("told", bad.id)]
    assert max(late for _, late in stage.seen) <= CLAIM_S
