"""Following one task through its states: each is published, so none is missed while the subscription stands."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from kernel.contracts import Deadline, Record
from plugin_backend_redis.layout import Layout
from plugin_backend_redis.records import Records
from plugin_backend_redis.waiting import Waiting, drop_stale, readable
from plugin_common_redis import Wire, packed


class _Thread(NamedTuple):
    """What a thread follows between two calls."""

    task_id: str
    wire: Wire


class Following:
    """Follows for one backend. Each thread keeps the subscription to the task it followed last, until that is ready."""

    def __init__(self, waiting: Waiting, layout: Layout, records: Records) -> None:
        self._waiting = waiting
        self._layout = layout
        self._records = records
        self._local = threading.local()

    def follow(self, task_id: str, seen: Sequence[Record], deadline: Deadline) -> list[Record]:
        """See :meth:`kernel.contracts.ResultBackend.follow`.

        Raises:
            Exception: a native one when the connection breaks; the next call reads again.
        """
        kept = self._kept(task_id)
        wire = self._waiting.take(deadline) if kept is None else kept
        self._local.held = None
        try:
            new = self._follow(wire, task_id, list(seen[-1:]), deadline, subscribed=kept is not None)
        except BaseException:
            self._waiting.end(wire)
            raise
        if new and new[-1].ready:
            self._leave(wire)
        else:
            self._local.held = _Thread(task_id, wire)
        return new

    def _kept(self, task_id: str) -> Wire | None:
        """The connection that this thread follows the task over; one to another task is given back."""
        held: _Thread | None = getattr(self._local, "held", None)
        if held is None or not held.wire.usable:
            return None
        if held.task_id == task_id:
            return held.wire
        self._local.held = None
        self._leave(held.wire)
        return None

    def _follow(
        self, wire: Wire, task_id: str, last: list[Record], deadline: Deadline, *, subscribed: bool
    ) -> list[Record]:
        states = list(last)
        if not subscribed:
            wire.send(packed(["UNSUBSCRIBE"]) + packed(["SUBSCRIBE", self._layout.task(task_id)]), deadline)
            [stored] = self._records.fetch(wire, [task_id], deadline)
            drop_stale(wire)
            self._add(states, stored)
        self._hear(wire, task_id, states)
        while len(states) == len(last) and not deadline.passed:
            if readable(wire, deadline):
                wire.read_push(deadline)
                self._hear(wire, task_id, states)
        return states[len(last) :]

    def _hear(self, wire: Wire, task_id: str, states: list[Record]) -> None:
        channel = self._layout.task(task_id)
        while wire.pushes:
            frame = wire.pushes.popleft()
            if frame[0] == b"message" and frame[1] == channel:
                self._add(states, self._records.read(task_id, frame[2]))

    def _add(self, states: list[Record], record: Record | None) -> None:
        """A state that was read and heard is one."""
        if record is not None and (not states or record != states[-1]):
            states.append(record)

    def _leave(self, wire: Wire) -> None:
        try:
            wire.send(packed(["UNSUBSCRIBE"]), Deadline.after(1.0))
        except OSError:  # nobody needs it any more
            self._waiting.end(wire)
        else:
            self._waiting.give_back(wire)
