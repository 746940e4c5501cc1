"""One queue in memory: which message is next, which are hidden and until when."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from kernel.contracts.broker import Outgoing
from kernel.model.topology import QueueSpec


class Place(Enum):
    """Where a message is. It is on the ready heap exactly when READY."""

    READY = auto()
    BEHIND = auto()
    """Visible, but an earlier message of its group is not settled yet."""
    DELAYED = auto()
    CLAIMED = auto()


@dataclass(slots=True, eq=False)
class Message:
    """A stored message. Times are Unix seconds; ``claim`` is the number of its last delivery, 0 once that is over.

    ``order`` is its place in the queue: where it arrived, or where its last delay ended. ``deliveries`` counts every
    hand-out, ``uncounted`` those taken back before the body began.
    """

    seq: int
    item: Outgoing
    due: float
    expires: float | None
    order: int = 0
    place: Place = Place.READY
    deliveries: int = 0
    uncounted: int = 0
    claim: int = 0
    lease_until: float = 0.0
    dead_reason: str | None = None
    dead_queue: str | None = None

    @property
    def attempt(self) -> int:
        """Deliveries that count."""
        return self.deliveries - self.uncounted

    @property
    def rank(self) -> tuple[int, int]:
        """Highest priority first, then in queue order."""
        return (-(self.item.priority or 0), self.order)


@dataclass(slots=True, eq=False)
class MemoryQueue:
    """The messages of one queue. ``owner`` is the connection of a temporary queue.

    ``implied`` marks a dead-letter queue that only another queue's declaration mentioned so far.
    """

    spec: QueueSpec
    owner: object = None
    implied: bool = False
    used_at: float = 0.0
    consumers: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    _ready: list[tuple[tuple[int, int], Message]] = field(default_factory=list)
    _timers: list[tuple[float, int, Message]] = field(default_factory=list)
    _timers_set: int = 0
    _groups: dict[str, deque[Message]] = field(default_factory=dict)

    def add(self, message: Message, now: float) -> None:
        """Take a new message in."""
        self.messages[message.seq] = message
        if message.expires is not None:
            self._set_timer(message.expires, message)
        if message.item.group is not None:
            self._groups.setdefault(message.item.group, deque()).append(message)
        self.show(message, message.due, now)

    def show(self, message: Message, due: float, now: float) -> None:
        """Make it deliverable at ``due``, or now."""
        message.due = due
        if due > now:
            message.place = Place.DELAYED
            self._set_timer(due, message)
        elif self._head(message) is not message:
            message.place = Place.BEHIND
        else:
            message.place = Place.READY
            heapq.heappush(self._ready, (message.rank, message))

    def next(self) -> Message | None:
        """Take the first ready message off the heap; the caller claims or removes it."""
        while self._ready:
            message = heapq.heappop(self._ready)[1]
            if message.place is Place.READY and message.seq in self.messages:
                return message
        return None

    def hide(self, message: Message, until: float) -> None:
        """Keep a message that ``next`` gave, or that is claimed, out until its lease ends."""
        message.place, message.lease_until = Place.CLAIMED, until
        self._set_timer(until, message)

    def remove(self, message: Message, now: float) -> None:
        """Forget it; the next of its group gets its turn."""
        del self.messages[message.seq]
        message.claim = 0
        if message.item.group is None:
            return
        head = self._head(message)
        if head is not message and head.place is Place.BEHIND:
            self.show(head, head.due, now)

    def elapsed(self, now: float) -> list[Message]:
        """Messages of which a delay, a lease or a life time may have ended by ``now``."""
        found = []
        while self._timers and self._timers[0][0] <= now:
            message = heapq.heappop(self._timers)[2]
            if message.seq in self.messages:
                found.append(message)
        return found

    def next_timer(self) -> float:
        """When something may happen by itself."""
        return self._timers[0][0] if self._timers else float("inf")

    def in_order(self) -> list[Message]:
        """Those a consumer could get now or soon, first ones first."""
        visible = [m for m in self.messages.values() if m.place in {Place.READY, Place.BEHIND}]
        return sorted(visible, key=lambda message: message.rank)

    def count(self, *places: Place) -> int:
        """How many are in one of these places."""
        return sum(message.place in places for message in self.messages.values())

    def _set_timer(self, at: float, message: Message) -> None:
        """Look at it again at that time; among equal times, first set, first seen."""
        self._timers_set += 1
        heapq.heappush(self._timers, (at, self._timers_set, message))

    def _head(self, message: Message) -> Message:
        """The first unsettled message of its group; itself when it has none."""
        if message.item.group is None:
            return message
        group = self._groups[message.item.group]
        while group and group[0].seq not in self.messages:
            group.popleft()
        if group:
            return group[0]
        del self._groups[message.item.group]
        return message
