"""The node's main loop: settle, receive, admit, hand out (architecture.md 3, "Consume")."""

import logging
import time
from contextlib import suppress

from kernel.contracts.broker import Delivery
from kernel.contracts.pool import Pool
from kernel.errors import DriverError
from kernel.runtime.desk import Desk
from kernel.runtime.events import EventDispatcher
from kernel.runtime.finish import Finish
from kernel.runtime.inbox import Inbox
from kernel.runtime.intake import Intake
from kernel.runtime.jobs import job_of
from kernel.runtime.link import Link
from kernel.runtime.reserve import Reserve

logger = logging.getLogger("kernel.worker")

LONGEST_WAIT_S = 10.0
"""Longest time blocked in the broker; whoever has news wakes the loop before."""

_UNSETTLED_WAIT_S = 0.2
_MOST_WAITING = 10_000
"""Messages held here until they are due; reached only with brokers that cannot delay what is given back."""


class ConsumerLoop:
    """One turn after another, in the main thread.

    Args:
        link: the connection.
        pool: where bodies run.
        inbox: news for the loop.
        desk: ledger, settlement, endings, copies, waiting messages.
        intake: admits what was received.
        finish: reads the news.
        events: publishes what was collected.

    Attributes:
        reserve: how much more than executors have room for is taken.
    """

    def __init__(  # noqa: PLR0913 - the loop is where all parts of a node meet
        self,
        link: Link,
        pool: Pool,
        inbox: Inbox,
        desk: Desk,
        intake: Intake,
        finish: Finish,
        events: EventDispatcher,
    ) -> None:
        self._link = link
        self._pool = pool
        self._inbox = inbox
        self._desk = desk
        self._intake = intake
        self._finish = finish
        self._events = events
        self.reserve = Reserve(pool, inbox)

    def turn(self) -> None:
        """Act on the news, take new messages when there is room, and hand them out. Blocks while nothing happens.

        Raises:
            DriverError: when the broker is lost and settings say not to connect again.
        """
        self._finish.take(self._inbox.drain())
        self.flush()
        if not self._link.connect():
            self._finish.take(self._inbox.wait(self._pause(self._link.retry_in())))
            return
        room = self._pool.room() - self._desk.settlement.starting
        if self.reserve.more:
            room += self.reserve.room(len(self._desk.ledger))
        if room > 0:
            self._take(room)
        else:
            self._finish.take(self._inbox.wait(self._pause(LONGEST_WAIT_S)))

    def flush(self) -> None:
        """Write what is due: results of the node's own, settlements, copies, events."""
        for settle, tag in self._desk.endings.flush():
            self._desk.settle(settle, tag)
        self._desk.copies.flush()
        self._desk.settlement.flush()
        self._events.flush()
        self._submit()

    def drain(self, wait_s: float) -> None:
        """A turn without receiving, for a node that is ending: at most ``wait_s`` seconds."""
        self.flush()
        with suppress(DriverError):  # told in the log; what runs may finish without a broker
            self._link.connect()
        self._finish.take(self._inbox.wait(self._pause(wait_s)))

    @property
    def unwritten(self) -> int:
        """Settlements, results and copies that wait for a server."""
        return len(self._desk.settlement) + len(self._desk.endings) + len(self._desk.copies)

    def _take(self, room: int) -> None:
        due = self._desk.waiting.take_due(time.time(), room)
        if due:
            self._intake.take_due(due)
        deliveries = self._receive(room - len(due), blocking=not due)
        if deliveries:
            self._intake.take(deliveries)
        if due or deliveries:
            self._desk.copies.flush()
            self._desk.settlement.flush()
            self._submit()

    def _receive(self, room: int, *, blocking: bool) -> list[Delivery]:
        """At most ``room`` messages; none while too many wait here for their time."""
        if room <= 0:
            return []
        if len(self._desk.waiting) >= _MOST_WAITING:
            self._finish.take(self._inbox.wait(self._pause(LONGEST_WAIT_S) if blocking else 0.0))
            return []
        self._inbox.listen(self._link.wake)
        try:
            # Whatever arrives from here on wakes the broker; what arrived before is seen here.
            idle = blocking and self._inbox.empty()
            return self._link.receive(room, self._pause(LONGEST_WAIT_S) if idle else 0.0)
        finally:
            self._inbox.listen(None)

    def _submit(self) -> None:
        entries = self._desk.settlement.take_ready()
        if entries:
            for entry in entries:
                self._desk.ledger.add(entry)
            wanted = self._desk.tell.wanted
            self._pool.submit([job_of(entry, events=wanted) for entry in entries])

    def _pause(self, longest_s: float) -> float:
        """How long nothing needs the loop."""
        pause = longest_s
        due = self._desk.waiting.next_due()
        if due is not None:
            pause = min(pause, due - time.time())
        if self.unwritten:
            pause = min(pause, _UNSETTLED_WAIT_S)
        return max(0.0, pause)
