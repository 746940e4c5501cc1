"""Results that came by message, kept until somebody asks for them (wire.md 10.3).

A reply queue gives each message once, so what was taken from it lives here: every state a task went through, in order,
for the threads that wait for it and for those that will ask later.
"""

import logging
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from uuid import NAMESPACE_OID, uuid3, uuid4

from kernel.contracts.backend import Record
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model import states

logger = logging.getLogger("kernel.replies")

MOST_KEPT = 100_000
"""Tasks whose results are kept; beyond it nothing is taken from the queue, unless somebody waits for what is behind."""

MOST_EXPECTED = 200_000
"""Ids remembered as sent from here."""

_HISTORY = 1000
"""States kept of one task; of more, the oldest go."""


@dataclass(slots=True)
class _Kept:
    """The states of one task, oldest first; ``gone`` counts those no longer here. ``at`` is monotonic seconds."""

    at: float
    states: list[Record] = field(default_factory=list)
    gone: int = 0


class Mailbox:
    """One client's letter box. Safe in any thread; of no use in a forked child, which needs its own.

    Attributes:
        pid: the process it belongs to.
        oid: its address, the name of the reply queue: never the same in two processes or applications.
        ttl_s: seconds after which a result is forgotten; None keeps it.
        owner: tells who uses the queue, when one configuration takes over from another.

    Args:
        limit: tasks to keep; the oldest are forgotten first, those that were read before the others.
        ttl_s: seconds after which a result is forgotten; None keeps it.
    """

    def __init__(self, limit: int = MOST_KEPT, ttl_s: float | None = None) -> None:
        self.pid = os.getpid()
        # The random part tells this process from an earlier one of the same number, whose queue may still be there.
        self.oid = str(uuid3(NAMESPACE_OID, f"{os.uname().nodename} {self.pid} {uuid4()}"))
        self.ttl_s = ttl_s
        self.owner = 0
        self._limit = limit
        self._changed = threading.Condition()
        self._unread: OrderedDict[str, _Kept] = OrderedDict()
        self._read: OrderedDict[str, _Kept] = OrderedDict()
        self._sent: dict[str, bool] = {}
        """Ids sent from here, and whether they were answered; of no use any more once there were too many."""
        self._open = 0
        self._awaited: Counter[str] = Counter()
        self._dropped = 0
        self._sure = True
        self._failure: DriverError | None = None
        self._reader = 0

    @property
    def has_room(self) -> bool:
        """Whether it is time to take more from the queue."""
        return len(self._unread) < self._limit or bool(self._awaited)

    @property
    def settled(self) -> bool:
        """Whether every task sent from here has answered, as far as remembered."""
        return self._sure and not self._open

    def expect(self, ids: Iterable[str]) -> None:
        """Note that the results of these tasks come here."""
        with self._changed:
            if not self._sure:
                return
            before = len(self._sent)
            for one in ids:
                if self._sent.get(one):
                    self._open += 1  # sent once more: it will answer once more
                self._sent[one] = False
            self._open += len(self._sent) - before
            if len(self._sent) > MOST_EXPECTED:
                self._sure = False
                self._sent.clear()

    def put(self, records: Sequence[Record]) -> None:
        """Take states in, in the order of their arrival."""
        with self._changed:
            now = time.monotonic()
            for record in records:
                self._put(record, now)
            self._tidy(now)
            self._changed.notify_all()

    def begin(self) -> int:
        """A reader begins, and what made an earlier one give up is over; its number."""
        with self._changed:
            self._failure = None
            self._reader += 1
            return self._reader

    def fail(self, reader: int, error: DriverError) -> None:
        """Tell whoever waits that nothing will come any more, unless another reader has begun since."""
        with self._changed:
            if reader == self._reader:
                self._failure = error
                self._changed.notify_all()

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        """The last state of each, None while nothing came.

        Raises:
            DriverError: NOT_FOUND for a task whose result does not come here, or came and was forgotten.
        """
        with self._changed:
            return [self._last(one) for one in ids]

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """Block until ``need`` of them are ready, or the deadline; those that are ready, in input order.

        Raises:
            DriverError: as :meth:`fetch`, and what made the reader give up.
        """
        with self._changed:
            self._awaited.update(ids)
            try:
                while True:
                    ready = [found for one in ids if (found := self._last(one)) is not None and found.ready]
                    if len(ready) >= need or deadline.passed:
                        return ready
                    self._pause(deadline)
            finally:
                self._awaited.subtract(ids)
                self._awaited = +self._awaited

    def follow(self, task_id: str, seen: int, deadline: Deadline) -> list[Record]:
        """The states after the first ``seen`` ones; blocks until there is one, or the deadline.

        Raises:
            DriverError: as :meth:`wait`.
        """
        with self._changed:
            self._awaited[task_id] += 1
            try:
                while True:
                    self._last(task_id)
                    kept = self._read.get(task_id) or self._unread.get(task_id)
                    new = kept.states[max(0, seen - kept.gone) :] if kept is not None else []
                    if new or deadline.passed:
                        return new
                    self._pause(deadline)
            finally:
                self._awaited.subtract([task_id])
                self._awaited = +self._awaited

    def forget(self, ids: Sequence[str]) -> int:
        """Let go of these; how many there were."""
        with self._changed:
            there = 0
            for one in ids:
                found = self._unread.pop(one, None) or self._read.pop(one, None)
                there += found is not None
                self._answered(one)
            return there

    def _pause(self, deadline: Deadline) -> None:
        if self._failure is not None:
            raise self._failure
        self._changed.wait(deadline.left())

    def _answered(self, task_id: str) -> None:
        """Nothing more is expected of this task."""
        if self._sent.get(task_id) is False:
            self._sent[task_id] = True
            self._open -= 1

    def _last(self, task_id: str) -> Record | None:
        kept = self._read.get(task_id)
        if kept is None:
            kept = self._unread.get(task_id)
            if kept is None:
                self._check(task_id)
                return None
            if kept.states[-1].ready:
                self._read[task_id] = self._unread.pop(task_id)
        return kept.states[-1]

    def _check(self, task_id: str) -> None:
        if self._sure and task_id not in self._sent:
            raise DriverError(
                Code.NOT_FOUND,
                f"The result of task {task_id} does not come to this process: it was sent elsewhere, and results by"
                " rpc:// go to the process that sent the task",
                cure="Read it where the task was sent, or use a result backend that processes share.",
            )

    def _put(self, record: Record, now: float) -> None:
        if record.ready:
            self._answered(record.id)
        old = self._read.get(record.id) or self._unread.get(record.id)
        if old is None:
            self._unread[record.id] = _Kept(now, [record])
            return
        if not _supersedes(record, old.states[-1]):
            return
        old.states.append(record)
        old.at = now
        if len(old.states) > _HISTORY:
            del old.states[0]
            old.gone += 1

    def _tidy(self, now: float) -> None:
        """Forget what is over, and what there is no room for: never what somebody waits for."""
        for box in (self._read, self._unread):
            while self.ttl_s is not None and box and next(iter(box.values())).at + self.ttl_s < now:
                box.popitem(last=False)
        for one in self._oldest(self._read, len(self._read) + len(self._unread) - self._limit):
            del self._read[one]
        self._drop(self._oldest(self._unread, len(self._unread) - self._limit))

    def _oldest(self, box: Iterable[str], excess: int) -> list[str]:
        return list(islice((one for one in box if one not in self._awaited), max(0, excess)))

    def _drop(self, ids: Sequence[str]) -> None:
        if ids and not self._dropped:
            logger.warning("More than %d results wait to be read; the oldest are forgotten.", self._limit)
        self._dropped += len(ids)
        for one in ids:
            del self._unread[one]
            self._sent.pop(one, None)  # whoever asks is told, rather than left to wait


def _supersedes(new: Record, old: Record) -> bool:
    """Whether a state counts after another: a success stays, and so does any end until a success replaces it."""
    if old.status == states.SUCCESS or new == old:  # the same again: its acknowledgement was lost
        return False
    return not old.ready or new.status == states.SUCCESS
