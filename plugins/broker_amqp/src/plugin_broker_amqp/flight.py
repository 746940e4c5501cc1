"""The confirm mode of one channel: which messages are on their way, and what became of them."""

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from kernel.errors import Applied, Code, DriverError
from plugin_broker_amqp import failures, frames
from plugin_broker_amqp.properties import body_size, identity_of, unpack_header

logger = logging.getLogger(__name__)

_NOT_TAKEN: Final = "Make room: the queue is full, or its server is in trouble."


@dataclass(slots=True, eq=False)
class Sent:
    """A message on its way. ``key`` tells it from others when it is returned."""

    key: tuple[str, str, str]
    done: bool = False
    error: DriverError | None = None


@dataclass(slots=True)
class Flight:
    """Takes the frames of a channel that only publishes.

    Attributes:
        refused: code and text, when the server closed the channel.
        confirming: whether the channel is in confirm mode.
    """

    confirming: bool
    refused: tuple[int, str] | None = None
    _next: int = 1
    _pending: dict[int, Sent] = field(default_factory=dict)
    _returning: bytes = b""
    _properties: bytes = b""
    _left: int = 0
    _by_key: dict[tuple[str, str, str], deque[Sent]] | None = None

    def __len__(self) -> int:
        """How many are on their way."""
        return len(self._pending)

    def depart(self, sent: Sent) -> None:
        """It is written next."""
        if self.confirming:
            self._pending[self._next] = sent
            self._next += 1
            if self._by_key is not None:
                self._by_key.setdefault(sent.key, deque()).append(sent)

    def forget(self) -> None:
        """Nobody waits any more for what is on its way."""
        self._pending.clear()
        self._by_key = None

    def take(self, kind: int, payload: bytes) -> bool:
        """See :class:`plugin_broker_amqp.wire.Handler`."""
        if kind == frames.HEADER:
            self._properties, self._left = payload, body_size(payload)
            self._finish_return()
        elif kind == frames.BODY:
            self._left -= len(payload)
            self._finish_return()
        elif payload[:4] == frames.RETURN:
            self._returning = payload
        elif payload[:4] in {frames.ACK, frames.NACK}:
            self._settle(payload)
        else:
            return False
        return True

    def closed(self, code: int, text: str) -> None:
        """See :class:`plugin_broker_amqp.wire.Handler`."""
        self.refused = (code, text)

    def _settle(self, payload: bytes) -> None:
        tag, bits = frames.tag_and_bits(payload)
        error = None
        if payload[:4] == frames.NACK:
            error = DriverError(Code.EXHAUSTED, "RabbitMQ did not take the message", cure=_NOT_TAKEN)
        tags = [tag]
        if bits & frames.MULTIPLE:
            tags = []
            for one in self._pending:
                if tag and one > tag:
                    break
                tags.append(one)
        for one in tags:
            sent = self._pending.pop(one, None)
            if sent is not None:
                sent.done = True
                sent.error = sent.error or error
        if not self._pending:
            self._by_key = None

    def _finish_return(self) -> None:
        if self._left > 0:
            return
        exchange, routing_key = frames.returned(self._returning)
        key = (exchange, routing_key, identity_of(unpack_header(self._properties)))
        self._returning = self._properties = b""
        if not self.confirming:
            logger.error("Message %r reached no queue: there is none named %r", key[2], routing_key)
            return
        if self._by_key is None:
            self._by_key = {}
            for sent in self._pending.values():
                self._by_key.setdefault(sent.key, deque()).append(sent)
        waiting = self._by_key.get(key)
        if waiting:
            waiting.popleft().error = failures.of_reply(312, "no queue of that name", f"to route to {routing_key!r}")
        else:
            logger.error("A message was returned that was not on its way: %r", key)


def unresolved(sent: Sent, error: DriverError) -> None:
    """Nobody knows what became of it."""
    sent.done = True
    sent.error = failures.again(error, Applied.UNKNOWN)
