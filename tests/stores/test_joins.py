"""A process that dies between any two messages to the store, while it reports a member or ends a join (pains P09).

What it sends is counted; then it dies before, or right after, each of these messages in turn, and somebody else does
the same again. The store hears of a death as it would of a real one: a connection ends.
"""

import contextlib
import itertools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kernel.contracts import CLAIM_S, Deadline, JoinState, ResultBackend
from kernel.errors import DriverError

from .conftest import Store

pytestmark = pytest.mark.timed

SIZE = 3
ANSWER_S = 5.0
PAYLOADS = tuple(b'[1, "%d", "SUCCESS", %d]' % (n, n) for n in range(SIZE))
NAMES = (f"death-{n}" for n in itertools.count())


class Mortal:
    """Ends the connections of this thread when so many messages have been sent.

    Attributes:
        left: messages until then; None never.
        late: whether the last one still arrives.
        sent: messages so far.
    """

    def __init__(self) -> None:
        self.left: int | None = None
        self.late = False
        self.sent = 0
        self._thread = threading.get_ident()

    def says(self, connection: socket.socket, send: Callable[[], int | None]) -> int | None:
        """In place of sending: it is sent, or not, and the process dies; of what was sent when the answer is there, so
        that the store has done it before anybody else asks.
        """
        if threading.get_ident() != self._thread:  # a driver's monitor, a proxy
            return send()
        self.sent += 1
        if self.left is not None:
            self.left -= 1
        sent = send() if self.left is None or self.left > 0 or self.late else 0
        if self.left is not None and self.left <= 0:
            if self.late:
                select.select([connection], [], [], ANSWER_S)
            raise ConnectionResetError("the process has died")
        return sent


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Mortal:
    """Hears of every message that Python code sends."""
    made, socket_send, socket_sendall = Mortal(), socket.socket.send, socket.socket.sendall

    def send(connection: socket.socket, data: bytes, flags: int = 0) -> int | None:
        return made.says(connection, lambda: socket_send(connection, data, flags))

    def sendall(connection: socket.socket, data: bytes, flags: int = 0) -> None:
        made.says(connection, lambda: socket_sendall(connection, data, flags))

    monkeypatch.setattr(socket.socket, "send", send)
    monkeypatch.setattr(socket.socket, "sendall", sendall)
    return made


class World:
    """A process that lives, and others that die.

    Attributes:
        backend: of the one that lives.
    """

    def __init__(self, store: Store, mortal: Mortal) -> None:
        assert store.harness is not None
        self._harness, self._mortal = store.harness, mortal
        self._url = self._harness.current_url()
        self.backend = self.open()

    def open(self) -> ResultBackend:
        made = self._harness.backend(self._url)
        made.open(Deadline.after(10))
        return made

    def begun(self, members: int) -> str:
        """A join of its own in which so many have reported."""
        key = next(NAMES)
        self.backend.expect(key, SIZE, 600, Deadline.after(20))
        for number in range(members):
            assert not report(self.backend, key, number).won
        return key

    def deaths(self, members: int, act: Callable[[ResultBackend, str], object]) -> Iterator[str]:
        """Joins in which so many have reported, and then a process died while it acted: each time somewhere else."""
        act(self.backend, self.begun(members))  # what a driver says once only is said
        key, before = self.begun(members), self._mortal.sent
        act(self.backend, key)
        messages = self._mortal.sent - before
        assert messages, "it says nothing that is heard of here"
        for left, late in itertools.product(range(1, messages + 1), (False, True)):
            key, victim = self.begun(members), self.open()
            act(victim, self.begun(members))
            self._mortal.left, self._mortal.late = left, late
            with contextlib.suppress(DriverError):  # what a driver reads again, or does afterwards, may fail unnoticed
                act(victim, key)
            assert self._mortal.left <= 0, "nobody died"
            self._mortal.left = None
            victim.close(Deadline.after(5))
            yield key


@pytest.fixture
def world(served: Store, mortal: Mortal) -> Iterator[World]:
    made = World(served, mortal)
    yield made
    made.backend.close(Deadline.after(5))


def report(backend: ResultBackend, key: str, number: int) -> JoinState:
    return backend.join(key, f"{number:06d}:{number}", PAYLOADS[number], SIZE, 600, Deadline.after(20))


def joined(backend: ResultBackend, key: str) -> None:
    backend.joined(key, 600, Deadline.after(20))


def test_a_member_whose_process_dies_counts_once(world: World) -> None:
    """In the middle of a join: its report is made again, by somebody else, and the last member wins."""
    for key in world.deaths(1, lambda backend, key: report(backend, key, 1)):
        for number in (1, 0, 1):
            assert not report(world.backend, key, number).won, "a member counts twice"
        assert report(world.backend, key, 2).payloads == PAYLOADS


def test_a_join_whose_last_member_dies_is_won_by_its_repeat(world: World) -> None:
    """At once when it had no claim, and when the claim is over otherwise; one of those who then report wins."""
    waiting = []
    for key in world.deaths(2, lambda backend, key: report(backend, key, 2)):
        state = report(world.backend, key, 2)
        if state.won:
            assert state.payloads == PAYLOADS
        else:
            assert state == JoinState(SIZE, SIZE, won=False), "nobody said joined"
            waiting.append(key)
    assert waiting, "nobody died with a claim"
    time.sleep(CLAIM_S + world.backend.capabilities().limits.granularity_s)
    for key in waiting:
        states = [report(world.backend, key, number) for number in range(SIZE)]
        assert [state.payloads for state in states if state.won] == [PAYLOADS]


def test_a_join_whose_winner_dies_while_it_ends_is_ended_by_the_next(world: World) -> None:
    for key in world.deaths(2, lambda backend, key: (report(backend, key, 2), joined(backend, key))):
        report(world.backend, key, 2)
        joined(world.backend, key)
        for number in range(SIZE):
            assert report(world.backend, key, number) == JoinState(SIZE, SIZE, won=False, done=True)
