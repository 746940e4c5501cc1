"""Remote control as values (wire.md 12): names on the wire, a request, and what of it is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel.model.topology import Binding, Exchange, QueueSpec

MATCHERS = ("glob", "pcre")
"""How ``pattern`` selects nodes: by ``*``, ``?`` and ``[…]``, or by a regular expression."""

Reply = dict[str, Any]
"""What one node answers: ``{node: value}``."""


@dataclass(frozen=True, slots=True)
class QueueLife:
    """How control queues are declared (settings ``control_queue_*``); times are seconds.

    Attributes:
        ttl_s: how long a message waits in one.
        expires_s: how long one lives that nobody uses.
        exclusive: it belongs to the connection that made it.
        durable: it survives a restart of the server; not together with ``exclusive``.
    """

    ttl_s: float | None = 300.0
    expires_s: float | None = 10.0
    exclusive: bool = True
    durable: bool = False


@dataclass(frozen=True, slots=True)
class ControlNames:
    """The names of one namespace: ``celery`` gives ``celery.pidbox`` and ``reply.celery.pidbox``."""

    namespace: str
    life: QueueLife = QueueLife()

    @property
    def exchange(self) -> Exchange:
        """Where requests go, and from there to every node."""
        return Exchange(f"{self.namespace}.pidbox", "fanout", durable=False)

    @property
    def reply_exchange(self) -> Exchange:
        """Where answers go, and from there to the one who asked."""
        return Exchange(f"reply.{self.namespace}.pidbox", "direct", durable=False)

    def node_queue(self, node: str) -> QueueSpec:
        """The queue of a node's own."""
        return self._queue(f"{node}.{self.exchange.name}", Binding(self.exchange))

    def reply_queue(self, address: str) -> QueueSpec:
        """The queue of one who asks."""
        return self._queue(f"{address}.{self.reply_exchange.name}", Binding(self.reply_exchange, address))

    def _queue(self, name: str, binding: Binding) -> QueueSpec:
        life = self.life
        return QueueSpec(
            name,
            bindings=(binding,),
            durable=life.durable,
            temporary=life.exclusive,
            auto_delete=not life.durable,
            ttl_s=life.ttl_s,
            expires_s=life.expires_s,
        )


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where an answer is wanted."""

    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One command to one, some or all nodes.

    Attributes:
        method: the command's name.
        arguments: its arguments, by name.
        destination: names of the nodes meant; empty means all.
        pattern: without a destination, what a node's name must match.
        matcher: how: one of :data:`MATCHERS`; None is ``glob``.
        ticket: returned with every answer; None when none is wanted.
        reply_to: where answers go; None when none is wanted.
        expires: Unix time when nobody waits for an answer any more; 0 is never.
        clock: the sender's logical time.
    """

    method: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    destination: Sequence[str] = ()
    pattern: str | None = None
    matcher: str | None = None
    ticket: str | None = None
    reply_to: ReplyTo | None = None
    expires: float = 0.0
    clock: int = 0

    def payload(self) -> dict[str, Any]:
        """The message's body."""
        sent: dict[str, Any] = {
            "method": self.method,
            "arguments": dict(self.arguments),
            "destination": list(self.destination) or None,
            "pattern": self.pattern,
            "matcher": self.matcher,
        }
        if self.reply_to is not None:
            address = {"exchange": self.reply_to.exchange, "routing_key": self.reply_to.routing_key}
            sent |= {"ticket": self.ticket, "reply_to": address}
        return sent

    def headers(self) -> dict[str, Any]:
        """The message's headers."""
        return {"clock": self.clock, "expires": self.expires}
