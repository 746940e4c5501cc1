"""A consumer of the SQLite broker."""

import secrets
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from kernel.builtins.sqlite import layout, settling
from kernel.builtins.sqlite.desk import Desk
from kernel.builtins.sqlite.mailbox import Found, Mailbox
from kernel.builtins.sqlite.pulse import Pulse
from kernel.builtins.sqlite.record import unpack
from kernel.builtins.sqlite.view import NO_VIEW, Queue, View
from kernel.contracts.broker import Consumer, Delivery, Settle, SettleKind, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.contracts.waker import Waker
from kernel.errors import Code, DriverError

Receipt = tuple[int, int]
"""Row id and claim number."""
PATIENCE_S = 0.25
"""How long taking messages may wait for its turn to write, when ``wait_s`` is shorter."""
UPKEEP_S = 0.5
"""How often the other owners are looked at."""
FULL_S = 0.1
"""How often a consumer that holds all it may looks whether leases have ended; settling wakes it at once."""


def delivery(found: Found, queue: Queue, claim: int, lease_until: float | None) -> Delivery:
    """What a consumer sees of a message; ``claim`` is 0 for one it may only look at."""
    return Delivery(
        unpack(found.meta, queue.name, found.body),
        (found.id, claim),
        found.deliveries - found.uncounted + (claim != 0),
        found.deliveries > 0,
        lease_until,
        dead_reason=found.reason,
        dead_queue=found.origin,
    )


_LOOK = """SELECT version, EXISTS (SELECT 1 FROM owner WHERE id = ?1),
           EXISTS (SELECT 1 FROM message WHERE expires <= ?2 AND visible <= ?2)
           OR EXISTS (SELECT 1 FROM message WHERE id BETWEEN ?3 AND ?4) FROM topology"""
"""What a claim has to know first: the topology's version, whether this owner is still registered, and whether a life
or a delay has ended."""


class SqliteConsumer(Consumer):
    """Receives from some queues, holding at most ``prefetch`` unsettled deliveries (0: no bound)."""

    def __init__(self, desk: Desk, queues: Sequence[str], prefetch: int) -> None:
        self._desk = desk
        self._queues = list(dict.fromkeys(queues))
        self._prefetch = prefetch
        self._held: dict[Receipt, float] = {}
        self._view = NO_VIEW
        self._probe = ""
        self._ranges: list[Any] = []
        self._turn = 0
        self._hot = True
        self._full = False
        self._upkeep_at = 0.0
        self._woken = False
        self._waker = Waker()
        self._pulse = Pulse(desk.database, self._waker)
        self.closed = False

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """See :meth:`kernel.contracts.broker.Consumer.receive`."""
        if self.closed:
            raise _closed()
        end = time.monotonic() + wait_s
        reading: int | None = None
        while True:
            self._keep_up()
            found = self._take(max_n, end)
            left = end - time.monotonic()
            if found:
                self._pulse.active()
            if found or left <= 0 or self._woken or self.closed:
                self._woken = False
                return found
            # After the first reading it looks once more: something may have been written in between.
            reading = self._pulse.reading() if reading is None else self._wait(reading, left)

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.broker.Consumer.settle`."""
        if self.closed:
            raise _closed()
        results = settling.settle(self._desk, actions, deadline)
        for action, result in zip(actions, results, strict=True):
            if result.lease_until is not None:
                if action.delivery.receipt in self._held:  # not if another consumer has it
                    self._held[action.delivery.receipt] = result.lease_until
            elif result.error is None or result.error.code is Code.LEASE_LOST:
                self._held.pop(action.delivery.receipt, None)
        if self._full:
            self._waker.wake()
        if any(action.kind is not SettleKind.ACK for action in actions):
            self._desk.wake()
        return results

    def wake(self) -> None:
        """End a blocked ``receive``, or the next one, at once."""
        self._woken = True
        self._waker.wake()

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.broker.Consumer.change`."""
        if self.closed:
            raise _closed()
        self._queues = list(dict.fromkeys(queues))
        self._view = NO_VIEW  # what was prepared for the queues before is prepared anew
        self._hot, self._upkeep_at = True, 0.0

    def nudge(self) -> None:
        """Look again: something was published by this process."""
        self._waker.wake()

    def close(self, release: bool, deadline: Deadline) -> None:
        """Stop; with ``release`` what is unsettled can be received again at once."""
        if self.closed:
            return
        self.closed = True
        self.wake()
        held, self._held = list(self._held), {}
        if release and held:
            self._give_back(held, deadline)

    def _give_back(self, receipts: list[Receipt], deadline: Deadline) -> None:
        with self._desk.database.write(deadline) as connection:
            mailbox = Mailbox(connection, self._desk.topology.current(connection), self._desk.clock())
            for message, claim in receipts:
                mailbox.give_back(message, claim)
        self._desk.wake()

    def _wait(self, reading: int, left: float) -> int:
        """Wait for something to happen; the new reading."""
        if self._full:
            self._waker.wait(min(left, FULL_S))
            return reading
        return self._pulse.wait(reading, min(left, self._next_event()))

    def _keep_up(self) -> None:
        """Every half second: give back what dead processes held, and keep this consumer's queues in use."""
        now = time.monotonic()
        if now < self._upkeep_at:
            return
        self._upkeep_at = now + UPKEEP_S
        deadline = Deadline.after(UPKEEP_S)
        try:
            if self._desk.ownership.reap(deadline):
                self._desk.wake()
            self._desk.topology.keep_used(self._queues, self._desk.clock(), deadline)
        except DriverError as error:
            if error.code is not Code.TIMEOUT:  # a busy file is looked after the next time
                raise

    def _take(self, max_n: int, end: float) -> list[Delivery]:
        room = max_n if not self._prefetch else min(max_n, self._prefetch - self._unsettled())
        self._full = room <= 0
        if self._full or not (self._hot or self._anything()):
            return []
        patience = Deadline(max(end, time.monotonic() + PATIENCE_S))
        claimed: list[tuple[Found, Queue, int, float]] = []
        try:
            with self._desk.database.write(patience) as connection:
                self._claim(connection, room, claimed)
        except DriverError as error:
            if error.code is Code.TIMEOUT:
                return []
            raise
        self._hot = len(claimed) >= room
        found = [delivery(*one) for one in claimed]
        self._held.update((one.receipt, one.lease_until or 0.0) for one in found)
        if self.closed:  # by another thread, meanwhile
            self._give_back([one.receipt for one in found], patience)
            return []
        return found

    def _claim(self, connection: sqlite3.Connection, room: int, claimed: list[tuple[Found, Queue, int, float]]) -> None:
        now = self._desk.clock()
        topology, ownership = self._desk.topology, self._desk.ownership
        parameters = (ownership.id, now, layout.DELAYED, layout.last_due(now))
        version, registered, something_due = connection.execute(_LOOK, parameters).fetchone()
        view = topology.view if topology.view.version == version else topology.current(connection)
        queues = self._adopt(view)
        mailbox = Mailbox(connection, view, now)
        if something_due:
            mailbox.keep_house()
        owner = ownership.id if registered else ownership.mine(connection)
        number = layout.claims_of(owner)[0] | secrets.randbits(32)
        self._turn += 1
        for index in range(len(queues)):
            if room <= 0:
                break
            queue = queues[(self._turn + index) % len(queues)]
            until = now + (queue.spec.lease_s or self._desk.lease_s)
            taken = mailbox.claim(queue, number, until, room)
            claimed.extend((one, queue, number, until) for one in taken)
            room -= len(taken)

    def _adopt(self, view: View) -> list[Queue]:
        """The queues as the view has them; prepares the statement that asks whether there is anything."""
        queues = [view.queue(name) for name in self._queues]
        if view is not self._view:
            self._view = view
            self._probe = _probe(len(queues))
            self._ranges = [bound for queue in queues for bound in queue.span]
        return queues

    def _anything(self) -> bool:
        """Whether a transaction may find something to do: a message, a delay that ended, another topology."""
        now = self._desk.clock()
        parameters = (self._view.version, now, layout.DELAYED, layout.last_due(now), *self._ranges)
        return bool(self._desk.database.query(Deadline.after(PATIENCE_S), self._probe, parameters))

    def _next_event(self) -> float:
        """Seconds until a lease or delay may end, or upkeep is due."""
        pause = max(0.0, self._upkeep_at - time.monotonic())
        if not self._ranges:
            return pause
        sql = _next_due(len(self._ranges) // 2)
        rows = self._desk.database.query(Deadline.after(PATIENCE_S), sql, (layout.DELAYED, *self._ranges))
        now = self._desk.clock()
        ends: list[float] = [row[0] for row in rows[1:] if row[0] is not None]
        if rows[0][0] is not None:
            ends.append(layout.due(rows[0][0]))
        return min([pause, *(max(0.001, end - now) for end in ends)])

    def _unsettled(self) -> int:
        """Deliveries held, as far as their leases go."""
        now = self._desk.clock()
        for receipt, until in list(self._held.items()):  # a copy: other threads settle
            if until <= now:
                self._held.pop(receipt, None)
        return len(self._held)


def _probe(queues: int) -> str:
    parts = [
        "SELECT 1 FROM topology WHERE version <> ?1",
        "SELECT 1 FROM message WHERE expires <= ?2 AND visible <= ?2",
        "SELECT 1 FROM message WHERE id BETWEEN ?3 AND ?4",
        *["SELECT 1 FROM message WHERE id BETWEEN ? AND ? AND visible <= ?2"] * queues,
    ]
    return " UNION ALL ".join(parts) + " LIMIT 1"


def _next_due(queues: int) -> str:
    parts = [
        "SELECT min(id) FROM message WHERE id >= ?1",
        *["SELECT min(visible) FROM message WHERE id BETWEEN ? AND ?"] * queues,
    ]
    return " UNION ALL ".join(parts)


def _closed() -> DriverError:
    return DriverError(Code.CLOSED, "This consumer is closed", cure="Ask the broker for a new one.")
