"""Exchanges, queues, bindings and routes: where messages may go (features.md 2.8, wire.md 5)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

ExchangeType = Literal["direct", "topic", "fanout", "headers"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A named point that copies a message to every queue bound to it with a matching key."""

    name: str = ""
    type: ExchangeType = "direct"
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Binding:
    """One queue's subscription to an exchange; ``routing_key`` is a pattern when the type is topic."""

    exchange: Exchange
    routing_key: str = ""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A queue as the kernel wants it declared.

    Attributes:
        name: the queue's name.
        exchange: the exchange that stands for the queue in routes; the default exchange when unnamed.
        routing_key: the key that reaches this queue through ``exchange``; empty means the queue's name.
        bindings: further subscriptions.
        durable: survives a restart of the server.
        temporary: private to this connection and gone with it (control and event queues).
        auto_delete: removed when its last consumer is closed; it stays while it never had one. A broker that does
            not know the consumers of a queue keeps it, and ``expires_s`` removes it.
        max_priority: highest priority the queue distinguishes; None means it has no priorities.
        ttl_s: seconds a message may wait; None means for ever.
        expires_s: seconds an unused queue lives; None means for ever.
        lease_s: seconds a delivery stays hidden before it is delivered again; None means the driver's default.
        delivery_limit: deliveries after which a broker with native dead-lettering moves the message itself.
        dead_letter: the queue that takes rejected messages; None means rejection deletes.
        arguments: further arguments for brokers that know them, such as ``x-queue-type``.
    """

    name: str
    exchange: Exchange = Exchange()
    routing_key: str = ""
    bindings: tuple[Binding, ...] = ()
    durable: bool = True
    temporary: bool = False
    max_priority: int | None = None
    ttl_s: float | None = None
    expires_s: float | None = None
    lease_s: float | None = None
    delivery_limit: int | None = None
    dead_letter: str | None = None
    arguments: Mapping[str, object] = field(default_factory=dict)
    auto_delete: bool = False

    @property
    def key(self) -> str:
        """The routing key that reaches this queue."""
        return self.routing_key or self.name


@dataclass(frozen=True, slots=True)
class TaskRef:
    """What a router may look at: the call, never its serialized form. ``id`` is the task id, also of every retry."""

    name: str
    args: Sequence[object] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A router's answer; an unset field leaves the choice to whoever comes next.

    ``options`` may set any other execution option (``priority``, ``group``, ``countdown`` …).
    """

    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topology:
    """Every queue and exchange that configuration names, and what to do about others.

    Attributes:
        default_queue: queue of calls without a route.
        queues: the configured queues by name, complete with every default.
        create_missing: whether other names may be declared as they are met.
        default_routing_key: key for an exchange that a call names without a key.
        template: what a queue declared on the fly looks like beside its name, exchange and key.
    """

    default_queue: str
    queues: Mapping[str, QueueSpec] = field(default_factory=dict)
    create_missing: bool = True
    default_routing_key: str = ""
    template: QueueSpec = QueueSpec("")


def topic_pattern(binding_key: str) -> re.Pattern[str]:
    """Compile an AMQP topic binding key: ``*`` is one dotted word, ``#`` is any number of words.

    The result matches with :meth:`re.Pattern.fullmatch` in time linear in the key's words.
    """
    parts: list[str] = []
    for word in binding_key.split("."):
        if word == "#":
            parts.append(r"(?:\.[^.]*)*")
        elif word == "*":
            parts.append(r"\.[^.]*")
        else:
            parts.append(r"\." + re.escape(word))
    return re.compile("".join(parts))


def binding_matches(kind: str, binding_key: str, routing_key: str) -> bool:
    """Whether an exchange of that type passes a message with ``routing_key`` to that binding."""
    if kind == "fanout":
        return True
    if kind == "topic":
        # A leading dot makes every word look alike to the pattern; an empty key is no words at all.
        return topic_pattern(binding_key).fullmatch("." + routing_key if routing_key else "") is not None
    return binding_key == routing_key
