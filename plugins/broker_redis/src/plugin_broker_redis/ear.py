"""Listening to fan-out exchanges: what is published to their channels while somebody listens, and nothing else."""

from collections import deque
from typing import Any, Final

from kernel.contracts import Deadline
from kernel.model.topology import QueueSpec
from plugin_broker_redis import envelope
from plugin_broker_redis.desk import Desk
from plugin_broker_redis.names import is_fanout
from plugin_broker_redis.queues import subscriptions
from plugin_common_redis import Wire, Word, packed

_MESSAGES: Final = {b"message": 2, b"pmessage": 3}
"""Kind of a pushed frame → where its payload is."""


class Ear:
    """Hears for one temporary queue, over a connection of its own. What it heard waits here.

    Args:
        desk: settings.
        spec: the queue.
    """

    def __init__(self, desk: Desk, spec: QueueSpec) -> None:
        self.queue = spec.name
        self.wire: Wire | None = None
        self._desk = desk
        self._heard: deque[envelope.Letter] = deque()
        channels: list[str] = []
        patterns: list[str] = []
        for binding in subscriptions(spec):
            if is_fanout(binding.exchange.name, binding.exchange.type):
                more, wider = desk.names.listen(binding.exchange.name, _key(spec, binding.routing_key))
                channels += more
                patterns += wider
        self._wishes = {"SUBSCRIBE": list(dict.fromkeys(channels)), "PSUBSCRIBE": list(dict.fromkeys(patterns))}

    @property
    def needed(self) -> bool:
        """Whether the queue is bound to a fan-out exchange at all."""
        return any(self._wishes.values())

    def connect(self, deadline: Deadline) -> None:
        """Listen from now on. What was published while nobody listened is gone."""
        if self.wire is not None:
            return
        wire = self._desk.connector.connect(deadline)
        try:
            for command, names in self._wishes.items():
                words: list[Word] = [command, *names]
                if names:
                    wire.send(packed(words), deadline)
                    self._confirm(wire, len(names), deadline)
        except BaseException:
            wire.close()
            raise
        self.wire = wire

    def listen(self, deadline: Deadline) -> None:
        """Read one frame that has come."""
        assert self.wire is not None, "somebody waited for it"
        self.wire.read_push(deadline)
        self._note(self.wire)

    def buffered(self) -> bool:
        """Whether a frame has come that no poll would tell of."""
        return self.wire is not None and self.wire.buffered()

    def take(self, room: int) -> list[envelope.Letter]:
        """What was heard, oldest first."""
        return [self._heard.popleft() for _ in range(min(room, len(self._heard)))]

    def put_back(self, letter: envelope.Letter) -> None:
        """To be taken next."""
        self._heard.appendleft(letter)

    def drop(self) -> None:
        """Give up the connection."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()

    def abandon(self) -> None:
        """In a forked child: the connection is the parent's."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.abandon()

    def _confirm(self, wire: Wire, count: int, deadline: Deadline) -> None:
        while count:
            wire.read_push(deadline)
            if wire.pushes[-1][0] in {b"subscribe", b"psubscribe"}:
                wire.pushes.pop()
                count -= 1
        self._note(wire)

    def _note(self, wire: Wire) -> None:
        while wire.pushes:
            frame: list[Any] = wire.pushes.popleft()
            at = _MESSAGES.get(frame[0])
            if at is not None:
                self._heard.append(envelope.read(frame[at], self.queue))


def _key(spec: QueueSpec, routing_key: str) -> str:
    """A queue's own name as key, as when none was given, means everything."""
    return "" if routing_key == spec.name else routing_key
