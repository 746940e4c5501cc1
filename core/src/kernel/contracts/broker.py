"""The broker contract, version 1: moving messages, with leases and settlements."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver
from kernel.errors import Code, DriverError
from kernel.model.topology import Exchange, QueueSpec

HeaderValue = Any
"""JSON-like: None, bool, int, float, str, list, dict, and bytes where ``binary_headers`` is claimed."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message's bytes and routing facts, ready for a broker.

    An optional field that is None is unset. Setting one whose capability the broker lacks gives UNSUPPORTED, and
    nothing is enqueued.

    Attributes:
        queue: destination queue; "" when ``exchange`` routes.
        body: the encoded body.
        headers: message headers (wire.md 1.1).
        id: the task id; the same after every retry of an UNKNOWN publish.
        priority: higher is more urgent, 0 to the queue's ``max_priority``.
        delay_s: seconds the message stays invisible.
        ttl_s: seconds after which an undelivered message is dropped or dead-lettered.
        group: ordering group (FIFO queues).
        dedup_id: messages of equal id within the broker's window are stored once.
        exchange: a named exchange, for brokers with capability ``exchanges``.
        routing_key: the key given to ``exchange``.
        persistent: whether it must survive a restart of the server.
        properties: transport properties a caller gave, such as ``MessageGroupId``.
    """

    queue: str
    body: bytes
    headers: Mapping[str, HeaderValue]
    id: str
    content_type: str = "application/json"
    content_encoding: str = "utf-8"
    priority: int | None = None
    delay_s: float | None = None
    ttl_s: float | None = None
    group: str | None = None
    dedup_id: str | None = None
    exchange: str = ""
    routing_key: str = ""
    correlation_id: str | None = None
    reply_to: str | None = None
    persistent: bool = True
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message leased to this consumer.

    Attributes:
        message: what was published; ``message.queue`` is the queue it was received from.
        receipt: what ``settle`` needs; opaque, comparable and hashable.
        attempt: how often it has been delivered, this time included, from 1; None when the broker cannot count.
        redelivered: whether it was delivered before; None when unknown.
        lease_until: Unix time when it becomes visible again; None when there is no lease.
        epoch: number of the connection it came over.
        dead_reason: why it was rejected, when it comes from a dead-letter queue; with ``dead_queue``, its origin.
    """

    message: Outgoing
    receipt: Any
    attempt: int | None = None
    redelivered: bool | None = None
    lease_until: float | None = None
    epoch: int = 0
    dead_reason: str | None = None
    dead_queue: str | None = None


class SettleKind(StrEnum):
    """How a delivery ends, or goes on."""

    ACK = "ack"
    """Done: it never comes back."""
    RELEASE = "release"
    """Give it back, at once or after ``seconds``."""
    REJECT = "reject"
    """Move it to the queue's dead letter with ``reason``; without one, drop it."""
    EXTEND = "extend"
    """Keep it for ``seconds`` from now."""


@dataclass(frozen=True, slots=True)
class Settle:
    """One settlement. ``started`` is False when the body certainly never began, so the attempt need not count."""

    delivery: Delivery
    kind: SettleKind
    seconds: float = 0.0
    reason: str = ""
    started: bool = True


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The fate of one item of a publish batch; ``error`` is None when the broker took it."""

    error: DriverError | None = None

    @property
    def ok(self) -> bool:
        """Whether the broker took it."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class SettleResult:
    """The fate of one settlement. After EXTEND ``lease_until`` is the new end of the lease."""

    error: DriverError | None = None
    lease_until: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it took effect."""
        return self.error is None


PUBLISHED = PublishResult()
SETTLED = SettleResult()


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages in a queue; None where the broker cannot say. ``exact`` is False for approximate figures."""

    ready: int
    in_flight: int | None = None
    delayed: int | None = None
    exact: bool = True


class Consumer(ABC):
    """Receives for one worker loop. ``receive`` belongs to one thread, the other methods to any."""

    @abstractmethod
    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """Take up to ``max_n`` messages.

        Waits at most ``wait_s`` seconds for the first (0 does not block), then returns what is there without
        waiting for more; ``[]`` when idle or woken. Messages of all queues are served without starving one.

        Raises:
            DriverError: UNAVAILABLE, TIMEOUT, NOT_FOUND or CLOSED. A later call reconnects.
        """

    @abstractmethod
    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """Settle a batch; results in input order. One bad receipt fails alone: LEASE_LOST or INVALID.

        Raises:
            DriverError: when the whole call failed.
        """

    @abstractmethod
    def wake(self) -> None:
        """Make a blocked ``receive`` return soon, or the next one when none is blocked: a wake-up is never lost.

        Callable from any thread and from a signal handler.
        """

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """Receive from these queues from now on, which may be none. Belongs to the thread of ``receive``.

        Deliveries given out stay what they are, those of a queue that is no longer among them, too; a few more of such
        a queue may still come, when the server had sent them before. A queue that is new must have been declared.

        The default body is for a consumer that cannot do it.

        Raises:
            DriverError: UNSUPPORTED; or the connection is lost, and the next ``receive`` begins with these queues.
        """
        raise DriverError(
            Code.UNSUPPORTED,
            f"{type(self).__name__} cannot change its queues",
            cure="Start a worker with other queues: -Q.",
        )

    @abstractmethod
    def close(self, release: bool, deadline: Deadline) -> None:
        """Stop receiving; with ``release`` give unsettled deliveries back at once. Idempotent."""


class Broker(Driver):
    """Moves messages between publishers and consumers (contract ``broker/1``)."""

    @abstractmethod
    def capabilities(self) -> BrokerCaps:
        """What this broker can do, known before ``open``; ``open`` may only narrow it."""

    @abstractmethod
    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """Make queues, their exchanges, bindings and dead letters exist. Idempotent, also when concurrent.

        Raises:
            DriverError: CONFLICT when one exists with other properties (it is left untouched), INVALID for a name.
        """

    def declare_exchange(self, exchange: Exchange, deadline: Deadline) -> None:
        """Make an exchange exist that no queue may be bound to yet. Idempotent.

        The default body does nothing: for a broker where an exchange is no more than its bindings.

        Raises:
            DriverError: CONFLICT when it exists with another type.
        """

    @abstractmethod
    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """Remove queues with their messages; an unknown one is ignored."""

    @abstractmethod
    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """Hand over a batch of any length; results 1:1 in input order, an item's failure never hides another's.

        An undeclared queue gives NOT_FOUND and nothing is created. An exchange with no matching binding drops the
        message, as AMQP does, and is ok.

        Raises:
            DriverError: when the whole call failed; its ``outcome`` says whether items may have been stored.
        """

    @abstractmethod
    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """A consumer of those queues holding at most ``prefetch`` unsettled deliveries (0 means no bound).

        Raises:
            DriverError: NOT_FOUND for an undeclared queue, at the latest by the first ``receive``.
        """

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """Messages per queue (capability ``depth``)."""
        raise self.unsupported("depth")

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """Remove ready messages; how many per queue, None where unknown (capability ``purge``)."""
        raise self.unsupported("purge")

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        """Look at the oldest messages without leasing them (capability ``peek``); their receipts settle nothing."""
        raise self.unsupported("peek")

    def unsupported(self, capability: str) -> DriverError:
        """The error for a capability this broker does not claim."""
        return DriverError(
            Code.UNSUPPORTED,
            f"{type(self).__name__} does not support {capability!r}",
            cure="Choose a broker that has this capability, or change the setting that needs it.",
        )
