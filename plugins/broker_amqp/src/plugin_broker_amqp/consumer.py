"""Receiving: windows are open while somebody asks, and a little longer; nothing is held back from others."""

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

from kernel.contracts import Consumer, Deadline, Delivery, Settle, SettleResult
from kernel.errors import Code, DriverError
from plugin_broker_amqp import failures
from plugin_broker_amqp.intake import Intake
from plugin_broker_amqp.session import Session
from plugin_broker_amqp.settling import Settling
from plugin_broker_amqp.waker import PipeWaker
from plugin_broker_amqp.wire import Wire

LINGER_S: Final = 0.2
"""How long windows stay open when nobody asks: what comes is there for the next call. Then it is given back."""
STRICT_LINGER_S: Final = 5.0
"""The same where giving back counts as an attempt, and where only a slow answer can have left anything."""
FIRST_LOOK_S: Final = 0.02
"""What the first look through a new window may take, even when nothing is to be waited for."""
CALL_S: Final = 1.0
"""What a call without deadline may spend on an answer of the server."""


class Lines(Protocol):
    """Where a consumer gets its connection from."""

    def line(self, queues: Sequence[str], deadline: Deadline) -> tuple[Wire, bool]:
        """A connection for these queues, and whether it is shared with others."""

    def next_epoch(self) -> int:
        """The number of the next session."""

    def kept_open(self, queue: str) -> bool:
        """Whether a queue must never be without consumer, because it is removed then."""

    def counted(self, queue: str) -> bool:
        """Whether the server counts deliveries of a queue, so that nothing may be taken and given back unseen."""


class AmqpConsumer(Consumer):
    """Receives from some queues, holding at most ``prefetch`` unsettled deliveries (0: no bound).

    Args:
        lines: where connections come from.
        intake: makes deliveries of what comes.
        settling: carries settlements out.
        queues: names, each once.
        prefetch: the bound.
        connect_s: what connecting again may take within one call.
    """

    def __init__(
        self,
        lines: Lines,
        intake: Intake,
        settling: Settling,
        queues: Sequence[str],
        prefetch: int,
        connect_s: float,
    ) -> None:
        self._lines = lines
        self._intake = intake
        self._settling = settling
        self._queues = tuple(queues)
        self._prefetch = prefetch
        self._connect_s = connect_s
        self._waker = PipeWaker()
        self._owner = threading.Lock()
        self._session: Session | None = None
        self._shared = False
        self._turn = 0
        self._asked_at = 0.0
        self._private = any(lines.kept_open(queue) for queue in self._queues)
        self._strict = any(lines.counted(queue) for queue in self._queues)
        self.closed = False

    @property
    def session(self) -> Session | None:
        """The channel there is at present."""
        return self._session

    @property
    def wire(self) -> Wire | None:
        """Its own connection, if there is one."""
        return None if self._session is None or self._shared else self._session.wire

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """See :meth:`kernel.contracts.Consumer.receive`."""
        self._check_open()
        with self._owner:
            try:
                return self._receive(max_n, time.monotonic() + wait_s)
            except DriverError:
                if self.closed:  # it was closed meanwhile, which is no error of the connection
                    return []
                raise
            finally:
                self._asked_at = time.monotonic()
                if self._waker.raised:
                    self._waker.lower()

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`."""
        self._check_open()
        session = self._session
        if session is not None:
            session.wire.poll()
        return self._settling.settle(session, actions, deadline)

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.change`."""
        self._check_open()
        with self._owner:
            self._queues = tuple(dict.fromkeys(queues))
            self._private = any(self._lines.kept_open(queue) for queue in self._queues)
            self._strict = any(self._lines.counted(queue) for queue in self._queues)
            session = self._session
            if session is not None and not session.lost:
                session.change(self._queues, self._counted(), deadline)

    def wake(self) -> None:
        """See :meth:`kernel.contracts.Consumer.wake`."""
        self._waker.wake()

    def close(self, release: bool, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.close`. Without leases everything unsettled goes back in any case."""
        del release
        if self.closed:
            return
        self.closed = True
        self._waker.wake()
        session = self._session
        mine = self._owner.acquire(timeout=CALL_S)
        try:
            self._session = None
            if session is not None:
                self._end(session, deadline)
        finally:
            self._waker.close()
            if mine:
                self._owner.release()

    def abandon(self) -> None:
        """In a forked child: close without a word to the server."""
        self.closed = True
        self._owner = threading.Lock()
        session, self._session = self._session, None
        if session is not None:
            session.wire.abandon()
        self._waker.close()

    def rest(self) -> None:
        """See :class:`plugin_broker_amqp.pulse.Resting`."""
        session = self._session
        longest = STRICT_LINGER_S if self._strict else LINGER_S
        if session is None or self._private or time.monotonic() - self._asked_at < longest:
            return
        if not (session.open or session.settling_down or session.arrived) or not self._owner.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(DriverError):
                session.close_windows(Deadline.after(CALL_S))
                if not session.settling_down:
                    self._give_back(session)
        finally:
            self._owner.release()

    def _give_back(self, session: Session) -> None:
        tags = [arrival.tag for arrival in session.arrived]
        session.arrived.clear()
        if tags:
            session.wire.write(session.give_back(tags), Deadline.after(CALL_S))

    def _receive(self, max_n: int, end: float) -> list[Delivery]:
        while True:
            session = self._living(end)
            room = self._room(session, max_n)
            found = self._look(session, room, end) if room else self._saturated(session, max_n, end)
            if found or self._waker.raised or self.closed or time.monotonic() >= end:
                return found

    def _look(self, session: Session, room: int, end: float) -> list[Delivery]:
        """What is there; while nothing is, wait for it."""
        deadline = Deadline.after(max(0.0, end - time.monotonic()) + CALL_S)
        session.settle_down(deadline)
        if not self._queues:
            session.wire.wait(lambda: self._something(session), end, self._waker.fd)
        elif not session.arrived and not session.settling_down:
            share = max(1, room // len(self._queues))
            self._turn += 1
            start = self._turn % len(self._queues)
            queues = (*self._queues[start:], *self._queues[:start])
            fresh = session.open_windows(queues, 1000 if self._private else share, deadline)
            until = max(end, time.monotonic() + FIRST_LOOK_S) if fresh else end
            session.wire.wait(lambda: self._something(session), until, self._waker.fd)
            session.wire.poll()
            if self._strict and not self._private:
                session.close_windows(Deadline.after(CALL_S))
        self._check_session(session)
        return self._intake.deliveries(session, room)

    def _something(self, session: Session) -> bool:
        return bool(session.arrived) or self._waker.raised or self.closed or session.lost or bool(session.gone)

    def _saturated(self, session: Session, max_n: int, end: float) -> list[Delivery]:
        """All that may be out is out: wait until something is settled."""
        session.wire.wait(
            lambda: self._room(session, max_n) > 0 or self._waker.raised or self.closed, end, self._waker.fd
        )
        return []

    def _room(self, session: Session, max_n: int) -> int:
        return min(max_n, self._prefetch - len(session.given)) if self._prefetch else max_n

    def _check_session(self, session: Session) -> None:
        if session.lost:
            session.arrived.clear()  # the server has taken them back
        if session.arrived:
            return
        if session.refused is not None and not failures.is_ack_timeout(session.refused):
            self._session = None
            self._end(session, Deadline.after(CALL_S))
            raise failures.of_reply(*session.refused, f"to let us consume {', '.join(self._queues)}")
        if session.gone:
            names = ", ".join(sorted(session.gone))
            self._end(session, Deadline.after(CALL_S))
            self._session = None
            raise failures.of_reply(404, "it was deleted", f"to let us consume {names}")

    def _living(self, end: float) -> Session:
        """The session; a new one when it was lost."""
        session = self._session
        if session is not None and not session.lost:
            return session
        deadline = Deadline(max(end, time.monotonic() + self._connect_s))
        if session is not None:
            self._session = None
            self._end(session, Deadline.after(0))
        wire, self._shared = self._lines.line(self._queues, deadline)
        try:
            made = Session(wire, self._queues, self._counted(), self._lines.next_epoch(), deadline)
        except DriverError:
            if not self._shared:
                wire.close(Deadline.after(0))
            raise
        self._session = made
        if self.closed:
            self._end(made, deadline)
            raise DriverError(Code.CLOSED, "This consumer was closed")
        return made

    def _counted(self) -> frozenset[str]:
        return frozenset(queue for queue in self._queues if self._lines.counted(queue))

    def _end(self, session: Session, deadline: Deadline) -> None:
        if self._shared:
            session.close(deadline)
        else:
            session.wire.close(deadline)

    def _check_open(self) -> None:
        if self.closed:
            raise DriverError(Code.CLOSED, "This consumer is closed", cure="Ask the broker for a new one.")
