"""What a driver says it can do. The kernel trusts a claim, the conformance suite tests it (contracts.md).

A capability that is False has a test too: using it gives UNSUPPORTED and changes nothing.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds a driver declares; None means it knows none. Sizes are bytes, times seconds."""

    max_body: int | None = None
    max_headers: int | None = None
    max_batch: int | None = None
    max_delay_s: float | None = None
    min_lease_s: float | None = None
    max_lease_s: float | None = None
    max_priority: int | None = None
    name_pattern: str = r"[^\x00-\x1f\x7f]{1,255}"
    ack_window_s: float = 0.0
    """How long after an ok ACK a server that is killed may have forgotten it, so that the message comes once more."""
    in_process: bool = False
    """Everything is kept in this process: another one, a forked child too, sees a store of its own."""
    granularity_s: float = 0.01
    """How late a delay, lease or expiry may be observed, beyond the machine's own scheduling."""


class _Flags:
    """Shared reading of boolean capability fields."""

    __slots__ = ()

    def claimed(self) -> frozenset[str]:
        """The names of the capabilities that are True."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) is True)  # type: ignore[arg-type] # every subclass is a dataclass


@dataclass(frozen=True, slots=True)
class BrokerCaps(_Flags):
    """Capabilities of a broker.

    confirm: an ok from ``publish`` means the server has the message. persist: it survives a server kill.
    attempts: deliveries are counted exactly. lease: an unsettled delivery comes back by time. nack_delay:
    RELEASE may carry a delay. dlq: REJECT moves to the queue's dead letter. order: one producer and one consumer
    see queue order. fifo_group: order per group, one in flight. priority, delay, ttl, dedup: the field of that
    name in ``Outgoing`` is honoured. fanout: temporary queues and fanout exchanges. exchanges: routes by exchange
    itself. depth, purge, peek: those calls work. prefetch: unsettled deliveries never exceed it. binary_headers:
    bytes survive in headers. cross_settle: another process may settle. uncount: RELEASE of a delivery that never
    started takes its attempt back. tls, auth, native_async: as named.
    """

    confirm: bool = False
    persist: bool = False
    attempts: bool = False
    lease: bool = False
    nack_delay: bool = False
    dlq: bool = False
    order: bool = False
    fifo_group: bool = False
    priority: bool = False
    delay: bool = False
    ttl: bool = False
    dedup: bool = False
    fanout: bool = False
    exchanges: bool = False
    depth: bool = False
    purge: bool = False
    peek: bool = False
    prefetch: bool = False
    binary_headers: bool = False
    cross_settle: bool = False
    uncount: bool = False
    tls: bool = False
    auth: bool = False
    native_async: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class BackendCaps(_Flags):
    """Capabilities of a result backend.

    persist: a stored record survives a server kill. autoexpire: ttl is honoured without ``expire``. notify:
    ``wait`` is woken by the store rather than by polling. counter: ``add``. join: ``join``. tombstone: a record
    stored after ``forget`` stays forgotten. cluster: several nodes. volatile: a record may be evicted early.
    """

    persist: bool = False
    autoexpire: bool = False
    notify: bool = False
    counter: bool = False
    join: bool = False
    tombstone: bool = False
    cluster: bool = False
    volatile: bool = False
    auth: bool = False
    native_async: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class PoolCaps(_Flags):
    """What a pool can enforce. Asking for what it cannot is refused at start (E107).

    hard_limit: a task over its hard limit is ended. soft_limit: ``SoftTimeLimitExceeded`` is raised in the body.
    terminate: a running task can be ended from outside. recycle: ``max_tasks_per_child`` and
    ``max_memory_per_child``. isolates: a crash of the body leaves the node alive. resize: grow and shrink.
    """

    hard_limit: bool = False
    soft_limit: bool = False
    terminate: bool = False
    recycle: bool = False
    isolates: bool = False
    resize: bool = False
