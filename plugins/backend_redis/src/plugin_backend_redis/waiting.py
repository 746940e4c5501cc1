"""Waiting for results: channels of tasks are heard, and tasks read once after that, so that none is missed."""

import select
import threading
from collections.abc import Callable, Sequence
from typing import Final

from kernel.contracts import Deadline, Record
from plugin_backend_redis.layout import Layout
from plugin_backend_redis.records import Records, good
from plugin_common_redis import Wire, packed

_KEPT: Final = 8
"""Idle connections that are kept for the next wait."""


class Waiting:
    """Waits for one backend, each call over a connection of its own.

    Args:
        connect: makes a connection by a deadline.
        layout: names of channels.
        records: reads documents.
    """

    def __init__(self, connect: Callable[[Deadline], Wire], layout: Layout, records: Records) -> None:
        self._connect = connect
        self._layout = layout
        self._records = records
        self._lock = threading.Lock()
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()

    def wait(self, known: dict[str, Record], ids: Sequence[str], need: int, deadline: Deadline) -> None:
        """Add to ``known`` until so many of ``ids`` are in it, or the deadline.

        Raises:
            Exception: a native one when the connection breaks.
        """
        wire = self.take(deadline)
        try:
            self._wait(wire, known, ids, need, deadline)
        except BaseException:
            self.end(wire)
            raise
        self.give_back(wire)

    def close(self) -> None:
        """End every connection; a blocked wait ends with an error."""
        for wire in self._forget():
            wire.close()

    def abandon(self) -> None:
        """In a forked child: the connections are the parent's."""
        self._lock = threading.Lock()
        for wire in self._forget():
            wire.abandon()

    def _wait(self, wire: Wire, known: dict[str, Record], ids: Sequence[str], need: int, deadline: Deadline) -> None:
        waited = {self._layout.task(one): one for one in ids if one not in known}
        wire.send(packed(["UNSUBSCRIBE"]) + packed(["SUBSCRIBE", *waited]), deadline)
        values = wire.ask_all(self._records.reading(list(waited.values())), deadline)
        for one, value in zip(waited.values(), [value for reply in values for value in good(reply)], strict=True):
            self._note(known, one, value)
        drop_stale(wire)
        self._hear(wire, waited, known)
        while self._ready(known, ids) < need and not deadline.passed:
            if readable(wire, deadline):
                wire.read_push(deadline)
                self._hear(wire, waited, known)
        try:
            wire.send(packed(["UNSUBSCRIBE"]), Deadline.after(1.0))
        except OSError:  # what was waited for is known all the same
            wire.close()

    def take(self, deadline: Deadline) -> Wire:
        """A connection for one wait; another one's, if it is idle."""
        with self._lock:
            found = self._idle.pop() if self._idle else None
        wire = found if found is not None and found.usable else self._connect(deadline)
        with self._lock:
            self._busy.add(wire)
        return wire

    def give_back(self, wire: Wire) -> None:
        """It is idle: the next wait may have it."""
        with self._lock:
            kept = wire in self._busy and len(self._idle) < _KEPT
            self._busy.discard(wire)
            if kept:
                self._idle.append(wire)
        if not kept:
            wire.close()

    def end(self, wire: Wire) -> None:
        """It is of no use any more."""
        with self._lock:
            self._busy.discard(wire)
        wire.close()

    def _forget(self) -> list[Wire]:
        with self._lock:
            found = [*self._idle, *self._busy]
            self._idle, self._busy = [], set()
        return found

    def _hear(self, wire: Wire, waited: dict[bytes, str], known: dict[str, Record]) -> None:
        while wire.pushes:
            frame = wire.pushes.popleft()
            if frame[0] == b"message" and frame[1] in waited:
                self._note(known, waited[frame[1]], frame[2])

    def _note(self, known: dict[str, Record], record_id: str, value: bytes | None) -> None:
        record = self._records.read(record_id, value)
        if record is not None and record.ready:
            known[record_id] = record

    def _ready(self, known: dict[str, Record], ids: Sequence[str]) -> int:
        return sum(one in known for one in ids)


def readable(wire: Wire, deadline: Deadline) -> bool:
    """Wait until there is something to read, or the deadline; whether there is."""
    if wire.buffered():
        return True
    poll = select.poll()
    poll.register(wire.fileno(), select.POLLIN)
    return bool(poll.poll(deadline.left() * 1000))


def drop_stale(wire: Wire) -> None:
    """Forget what came before the last subscription: it belongs to another wait."""
    while wire.pushes and wire.pushes[0][0] != b"subscribe":
        wire.pushes.popleft()
