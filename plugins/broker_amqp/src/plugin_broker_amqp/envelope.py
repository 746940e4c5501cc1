"""Between a message of the kernel and what is on the wire (wire.md 1).

What AMQP has a place for stands there, so that a Celery client or worker reads it. What it has no place for, such as
why a message was rejected, stands in the one header ``x-kernel``, which is written only when there is something to say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from kernel.contracts import Outgoing
from plugin_broker_amqp.frames import Origin
from plugin_broker_amqp.properties import Properties, identity_of
from plugin_broker_amqp.tables import BadTable

MARKS: Final = "x-kernel"
NATIVE: Final = ("type", "user_id", "app_id", "cluster_id", "timestamp")
"""Properties a caller may give that AMQP has a place for."""

_RESERVED: Final = frozenset(
    {MARKS, "x-death", "x-delivery-count", "x-acquired-count", "CC", "BCC"}
    | {f"x-{which}-death-{what}" for which in ("first", "last") for what in ("exchange", "queue", "reason")}
)
"""Headers that the server would read, act on or replace: a caller's of such a name travel apart."""
_DIRECT_REPLY: Final = "amq.rabbitmq.reply-to"
_MOST_WAYS: Final = 1000
_BITS: Final = re.compile(r"^(?:[01]\.){28}")


@dataclass(frozen=True, slots=True)
class Marks:
    """What the header ``x-kernel`` says.

    Attributes:
        attempts: deliveries before the message was sent again with a delay.
        expires: Unix time after which it is not delivered any more; for delayed messages, whose own expiration would
            end the delay early.
        dead_reason: why it was rejected.
        dead_queue: where.
    """

    attempts: int = 0
    expires: float | None = None
    dead_reason: str | None = None
    dead_queue: str | None = None


UNMARKED: Final = Marks()
_NOTHING_SAID: Final[Mapping[str, Any]] = MappingProxyType({})


class Opened(NamedTuple):
    """A delivered message: what was published, what is marked on it, and how often the server says it came back."""

    message: Outgoing
    marks: Marks
    returns: int


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Seals and opens.

    Args:
        celery: whether Celery's clients and workers use the same queues (namespace ``celery``).
        namespace: first part of the names of the delay queues.
    """

    celery: bool
    namespace: str
    _ways: dict[Origin, tuple[str, str]] = field(default_factory=dict)

    def seal(self, item: Outgoing, wire_key: str, marks: Marks = UNMARKED, *, to_exchange: bool = False) -> Properties:
        """The properties of a message that is published with ``wire_key``.

        Raises:
            BadTable: for a header or property that cannot be sent.
        """
        if (item.reply_to or "").startswith(_DIRECT_REPLY):
            raise BadTable(f"reply_to={item.reply_to!r} needs a consumer that this broker does not have")
        headers = item.headers
        said = self._said(item, wire_key, marks, to_exchange=to_exchange)
        if not _RESERVED.isdisjoint(headers):
            said["headers"] = {name: value for name, value in headers.items() if name in _RESERVED}
            headers = {name: value for name, value in headers.items() if name not in _RESERVED}
        if said:
            headers = {**headers, MARKS: said}
        given = item.properties
        natives = {name: given[name] for name in NATIVE if name in given} if given else {}
        return Properties(
            content_type=item.content_type,
            content_encoding=item.content_encoding,
            headers=headers,
            delivery_mode=2 if item.persistent else 1,
            priority=(item.priority or 0) if self.celery else item.priority,
            correlation_id=item.correlation_id,
            reply_to=item.reply_to,
            expiration=None if item.ttl_s is None or marks.expires is not None else str(round(item.ttl_s * 1000)),
            message_id=None if item.headers.get("id") == item.id else item.id,
            rest=bool(natives),
            **natives,
        )

    def open(self, queue: str, origin: Origin, properties: Properties, body: bytes) -> Opened:
        """What a delivery brought from ``queue``; whatever another client wrote, there is a message."""
        headers = properties.headers or {}
        said: Mapping[str, Any] = _NOTHING_SAID
        marks, returns = UNMARKED, 0
        if not _RESERVED.isdisjoint(headers):
            found = headers.get(MARKS)
            said = found if isinstance(found, dict) else {}
            marks = self._marks(said, headers)
            count = headers.get("x-delivery-count")
            returns = count if isinstance(count, int) else 0
            headers = _headers(said, headers)
        expiration = properties.expiration
        exchange, routing_key = self._ways.get(origin) or self._way(origin)
        if said:
            exchange, routing_key = _text(said, "exchange", exchange), _text(said, "key", routing_key)
        message = Outgoing(
            queue=queue,
            body=body,
            headers=headers,
            id=identity_of(properties),
            content_type=properties.content_type or "",
            content_encoding=properties.content_encoding or "utf-8",
            priority=properties.priority,
            ttl_s=int(expiration) / 1000 if expiration is not None and expiration.isdecimal() else None,
            exchange=exchange,
            routing_key=routing_key,
            correlation_id=properties.correlation_id,
            reply_to=properties.reply_to,
            persistent=properties.delivery_mode == 2,  # noqa: PLR2004 - 2 is persistent (wire.md 1.2)
            properties=_properties(said, properties) if properties.rest or said else {},
        )
        return Opened(message, marks, returns)

    def _said(self, item: Outgoing, wire_key: str, marks: Marks, *, to_exchange: bool) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if item.routing_key != wire_key and (item.routing_key or not self.celery):
            said["key"] = item.routing_key
        if item.exchange and not to_exchange:
            said["exchange"] = item.exchange
        given = item.properties
        custom = {name: value for name, value in given.items() if name not in NATIVE} if given else given
        if custom:
            said["properties"] = custom
        if marks is not UNMARKED:
            facts = {name: getattr(marks, name) for name in ("attempts", "expires", "dead_reason", "dead_queue")}
            said |= {name: value for name, value in facts.items() if value}
        return said

    def _marks(self, said: Mapping[str, Any], headers: Mapping[str, Any]) -> Marks:
        attempts, expires = said.get("attempts"), said.get("expires")
        reason, queue = said.get("dead_reason"), said.get("dead_queue")
        if not isinstance(queue, str):
            reason, queue = self._death(headers.get("x-death"))
        return Marks(
            attempts=attempts if isinstance(attempts, int) else 0,
            expires=expires if isinstance(expires, float) else None,
            dead_reason=reason if isinstance(reason, str) else None,
            dead_queue=queue,
        )

    def _death(self, deaths: object) -> tuple[str | None, str | None]:
        """Why and where the server itself dead-lettered it last, delay queues aside."""
        for death in deaths if isinstance(deaths, list) else ():
            if isinstance(death, dict) and isinstance(queue := death.get("queue"), str) and not self._delays(queue):
                return death.get("reason"), queue
        return None, None

    def _way(self, origin: Origin) -> tuple[str, str]:
        """Exchange and routing key as they were before a delay; remembered, as there are few of them."""
        if len(self._ways) >= _MOST_WAYS:
            self._ways.clear()
        exchange = "" if self._delays(origin.exchange) else origin.exchange
        way = self._ways[origin] = (exchange, _without_digits(origin.routing_key))
        return way

    def _delays(self, name: str) -> bool:
        return name.startswith(f"{self.namespace}_delayed_")


def _headers(said: Mapping[str, Any], headers: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's headers; ours and the server's are not among them."""
    own = said.get("headers")
    found = {name: value for name, value in headers.items() if name not in _RESERVED}
    return found | own if isinstance(own, dict) else found


def _without_digits(key: str) -> str:
    """A routing key without the digits of a delay."""
    return _BITS.sub("", key, count=1) if key[1:2] == "." else key


def _text(said: Mapping[str, Any], name: str, otherwise: str) -> str:
    found = said.get(name)
    return found if isinstance(found, str) else otherwise


def _properties(said: Mapping[str, Any], properties: Properties) -> dict[str, Any]:
    custom = said.get("properties")
    found = dict(custom) if isinstance(custom, dict) else {}
    for name in NATIVE:
        value = getattr(properties, name)
        if value is not None:
            found[name] = value
    return found
