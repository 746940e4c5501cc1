"""Every message of a chord comes twice: its members count once, and what follows it runs once (pains P09)."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from kernel import Kernel, chord
from kernel.contracts import Deadline, Outgoing
from kernel.exceptions import ChordError
from kernel.testing import start_worker

MEMBERS = 60
WAIT_S = 60


def test_every_message_of_a_chord_twice(make: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch) -> None:
    app, lock, seen, ran = make(), threading.Lock(), [], []

    @app.task(name="member", acks_late=True)
    def member(n, fails=False):
        with lock:
            ran.append(n)
        if fails:
            raise ValueError(n)
        return n

    @app.task(name="body", acks_late=True)
    def body(values):
        with lock:
            seen.append(("body", sum(values)))
        return sum(values)

    @app.task(name="told")
    def told(request, exc, traceback):
        with lock:
            seen.append(("told", request.id))

    broker = app.client.services.broker
    publish = broker.publish

    def twice(items: Sequence[Outgoing], deadline: Deadline) -> list[object]:
        publish(items, deadline)
        return publish(items, deadline)

    monkeypatch.setattr(broker, "publish", twice)
    good = chord(member.s(n) for n in range(MEMBERS))(body.s())
    bad = chord(member.s(n, fails=n == 7) for n in range(MEMBERS))(body.s().on_error(told.s()))
    with start_worker(app, concurrency=4, loglevel="CRITICAL"):
        assert good.get(timeout=WAIT_S) == sum(range(MEMBERS))
        with pytest.raises(ChordError, match="ValueError"):
            bad.get(timeout=WAIT_S)
        deadline = Deadline.after(WAIT_S)
        while len(ran) < 4 * MEMBERS:
            deadline.check("waiting for every message")
            time.sleep(0.01)
    assert sorted(seen) == [("body", sum(range(MEMBERS))), ("told", bad.id)]
