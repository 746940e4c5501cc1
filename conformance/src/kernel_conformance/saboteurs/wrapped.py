"""The memory broker behind a thin wall, in which saboteurs make their holes."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from kernel.contracts import (
    Broker,
    BrokerCaps,
    Consumer,
    Deadline,
    Delivery,
    Depth,
    Outgoing,
    PluginContext,
    PublishResult,
    Settle,
    SettleResult,
)
from kernel.model.topology import QueueSpec
from kernel_conformance.harness import BrokerHarness
from kernel_conformance.installed import load_installed
from kernel_conformance.saboteurs.saboteur import Saboteur


class WrappedConsumer(Consumer):
    """Passes everything on."""

    def __init__(self, inner: Consumer) -> None:
        self.inner = inner

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        return self.inner.receive(max_n, wait_s)

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        return self.inner.settle(actions, deadline)

    def wake(self) -> None:
        self.inner.wake()

    def close(self, release: bool, deadline: Deadline) -> None:
        self.inner.close(release, deadline)


class WrappedBroker(Broker):
    """Passes everything on; ``consumers`` is what its consumers are wrapped in."""

    consumers: ClassVar[type[WrappedConsumer]] = WrappedConsumer

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self.inner: Broker = load_installed("broker.memory").factory("memory")(url, options, ctx)

    def capabilities(self) -> BrokerCaps:
        return self.inner.capabilities()

    def open(self, deadline: Deadline) -> None:
        self.inner.open(deadline)

    def close(self, deadline: Deadline) -> None:
        self.inner.close(deadline)

    def ping(self, deadline: Deadline) -> None:
        self.inner.ping(deadline)

    def after_fork(self) -> None:
        self.inner.after_fork()

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        self.inner.declare(specs, deadline)

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        self.inner.delete(queues, deadline)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        return self.inner.publish(items, deadline)

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        return self.consumers(self.inner.consumer(queues, prefetch))

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        return self.inner.depth(queues, deadline)

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        return self.inner.purge(queues, deadline)

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        return self.inner.peek(queue, max_n, deadline)


class WrappedHarness(BrokerHarness):
    """A wrapped memory broker, with the manifest of the real one."""

    embedded = True

    def __init__(self, factory: type[WrappedBroker]) -> None:
        self._factory = factory
        self.bind(load_installed("broker.memory"))

    def current_url(self) -> str:
        return f"memory://{uuid.uuid4().hex}"

    def make(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> Any:
        return self._factory(url, self.plugin.options(options), ctx)


def saboteur(name: str, factory: type[WrappedBroker], *killed_by: str) -> Saboteur:
    """A saboteur made of a wrapped broker, whose docstring says what is wrong."""
    wrong = " ".join((factory.__doc__ or "").split())
    return Saboteur(name, "broker", wrong, lambda: WrappedHarness(factory), killed_by)


def consumer_saboteur(name: str, consumers: type[WrappedConsumer], *killed_by: str) -> Saboteur:
    """The same for what only its consumers do wrong."""
    factory = type("Sabotaged", (WrappedBroker,), {"consumers": consumers, "__doc__": consumers.__doc__})
    return saboteur(name, factory, *killed_by)
