"""The broker in memory: the reference model of the contract, for tests and single-process programs.

All brokers with one URL name share their queues within a process; a forked child starts with empty ones. It keeps
every promise of the contract but one: nothing outlives the process.

Queues without ``max_priority`` honour priorities 0 to 255. A message without priority counts as 0.
"""

import re
import time
from collections.abc import Mapping, Sequence

from kernel.builtins import declaration
from kernel.builtins.envelope import TOP_PRIORITY
from kernel.builtins.memory.consumer import MemoryConsumer, delivery
from kernel.builtins.memory.store import MemoryStore, store_named
from kernel.contracts.broker import Broker, Consumer, Delivery, Depth, Outgoing, PublishResult
from kernel.contracts.capabilities import BrokerCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel.model.urls import masked_url

OPTIONS = {
    "lease_s": Option((int, float), 30.0, "seconds a delivery stays hidden, for queues that do not say"),
    "dedup_window_s": Option((int, float), 300.0, "seconds a deduplication id is remembered"),
}
CAPS = BrokerCaps(
    confirm=True,
    attempts=True,
    lease=True,
    nack_delay=True,
    dlq=True,
    order=True,
    fifo_group=True,
    priority=True,
    delay=True,
    ttl=True,
    dedup=True,
    fanout=True,
    exchanges=True,
    depth=True,
    purge=True,
    peek=True,
    prefetch=True,
    binary_headers=True,
    uncount=True,
    limits=Limits(max_body=64 * 1024 * 1024, max_priority=TOP_PRIORITY, in_process=True, granularity_s=0.02),
)


class MemoryBroker(Broker):
    """``memory://<name>``."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self._name = store_name(url)
        self._lease_s = positive(options, "lease_s")
        self._window_s = positive(options, "dedup_window_s")
        self._clock = ctx.clock or time.time
        self._store: MemoryStore | None = None
        self._consumers: list[MemoryConsumer] = []

    def capabilities(self) -> BrokerCaps:
        """Everything but ``persist``, and what needs a server."""
        return CAPS

    def open(self, deadline: Deadline) -> None:
        """Join the store of this name."""
        self._store = store_named(self._name)

    def close(self, deadline: Deadline) -> None:
        """Leave it: consumers give back what they hold, temporary queues go."""
        store, self._store = self._store, None
        if store is None:
            return
        for consumer in self._consumers:
            consumer.close(release=True, deadline=deadline)
        self._consumers.clear()
        store.delete_owned(self)

    def ping(self, deadline: Deadline) -> None:
        """There is nothing to lose contact with; only a closed broker fails."""
        self._opened()

    def after_fork(self) -> None:
        """Start over with an empty store: the parent's messages are the parent's to deliver."""
        self._consumers = []
        if self._store is not None:
            self._store = store_named(self._name)

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.broker.Broker.declare`."""
        store = self._opened()
        for spec in specs:
            declaration.check(spec, CAPS.limits)
            store.declare(spec, self, self._clock())

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.broker.Broker.delete`."""
        self._opened().delete(queues)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.broker.Broker.publish`."""
        return self._opened().publish(items, CAPS, self._window_s, self._clock)

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """See :meth:`kernel.contracts.broker.Broker.consumer`."""
        consumer = MemoryConsumer(self._opened(), queues, prefetch, self._lease_s, self._clock)
        self._consumers = [one for one in self._consumers if not one.closed]
        self._consumers.append(consumer)
        return consumer

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """See :meth:`kernel.contracts.broker.Broker.depth`."""
        store = self._opened()
        return {name: store.depth(name, self._clock()) for name in queues}

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """See :meth:`kernel.contracts.broker.Broker.purge`."""
        store = self._opened()
        return {name: store.purge(name, self._clock()) for name in queues}

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        """The messages that would be received next, first ones first."""
        store = self._opened()
        with store.lock:
            store.advance(self._clock())
            found = store.queue(queue)
            return [delivery(found, message) for message in found.in_order()[:max_n]]

    def _opened(self) -> MemoryStore:
        if self._store is None:
            raise DriverError(Code.CLOSED, f"The broker memory://{self._name} is not open", cure="Call open() first.")
        return self._store


def store_name(url: str) -> str:
    """The name in ``memory://<name>``; it may be empty.

    Raises:
        DriverError: INVALID.
    """
    found = re.fullmatch(r"memory://([A-Za-z0-9_.-]*)/?", url)
    if found is None:
        raise DriverError(
            Code.INVALID,
            f"{masked_url(url)!r} is not a URL of the memory store",
            cure="Write memory://<name>, the name made of letters, digits, '.', '_' and '-'.",
        )
    return found[1]


def positive(options: Mapping[str, object], name: str) -> float:
    """A declared option that is a time.

    Raises:
        DriverError: INVALID.
    """
    value = options.get(name, OPTIONS[name].default)
    if not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise DriverError(
            Code.INVALID, f"Option {name}={value!r} is not a positive number of seconds", cure="Correct the option."
        )
    return float(value)
