"""What every broker case has at hand: brokers that are closed, queues that are deleted, a history that is judged."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from kernel.contracts import (
    Broker,
    BrokerCaps,
    Consumer,
    Delivery,
    Outgoing,
    PluginContext,
    PublishResult,
    Settle,
    SettleKind,
    SettleResult,
)
from kernel.errors import DriverError, KernelError
from kernel.model.topology import QueueSpec
from kernel_conformance.checker import Rules, check, summary
from kernel_conformance.harness import BrokerHarness
from kernel_conformance.history import History, Phase, Verb
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.suite import PATIENCE_S, Suite

LEASE_S = 1.0
"""The lease that tests ask for, unless the broker's shortest one is longer."""
QUIET_S = 0.4
"""How long nothing may come before a queue counts as drained, beside the granularity."""


class BrokerCase(Suite):
    """Base of the broker suites. Whatever goes through ``send``, ``take`` and ``settle`` is in the history."""

    harness: BrokerHarness

    def setup(self) -> None:
        self.url = self.harness.current_url()
        self.history = History()
        self._brokers: list[Broker] = []
        self._proxies: list[ChaosProxy] = []
        self._queues: list[str] = []
        self._number = 0
        self._caps: BrokerCaps | None = None

    def teardown(self) -> None:
        for proxy in self._proxies:
            proxy.heal()
        with contextlib.suppress(Exception):
            if self._queues and self._brokers:
                broker = self._brokers[0]
                broker.open(self.soon(5))
                broker.delete(self._queues, self.soon(5))
        for broker in self._brokers:
            with contextlib.suppress(Exception):
                broker.close(self.soon(5))
        for proxy in self._proxies:
            proxy.close()
        super().teardown()

    @property
    def caps(self) -> BrokerCaps:
        """What the broker claims before it is opened."""
        if self._caps is None:
            self._caps = self.new_broker().capabilities()
        return self._caps

    @property
    def granularity_s(self) -> float:
        """How coarse the broker says its clock is."""
        return self.caps.limits.granularity_s

    @property
    def slack_s(self) -> float:
        return super().slack_s + self.granularity_s

    @property
    def lease_s(self) -> float:
        """A short lease that the broker can have."""
        return max(LEASE_S, self.caps.limits.min_lease_s or 0.0)

    def new_broker(self, url: str = "", **context: Any) -> Broker:
        """A broker, not opened; closed when the test ends."""
        made: Broker = self.subject(url or self.url, {}, PluginContext(self.harness.namespace, **context))
        self._brokers.append(made)
        return made

    def broker(self, url: str = "", **context: Any) -> Broker:
        """An opened broker."""
        made = self.new_broker(url, **context)
        made.open(self.soon())
        return made

    def proxy(self) -> ChaosProxy:
        """A proxy in front of the server."""
        address = self.harness.address()
        if address is None:
            self.not_run("the harness has no server that a proxy can stand in front of")
        made = ChaosProxy(address)
        self._proxies.append(made)
        return made

    def through(self, proxy: ChaosProxy) -> str:
        """The broker's URL through the proxy."""
        return self.harness.url_at(proxy.address)

    def queue(self, broker: Broker, stem: str = "q", **fields: Any) -> str:
        """Declare a queue of its own name. A lease is only asked for where the broker claims leases."""
        if not self.caps.lease:
            fields.pop("lease_s", None)
        spec = QueueSpec(self.name(stem), **fields)
        self._queues += [name for name in (spec.name, spec.dead_letter) if name is not None]
        broker.declare([spec], self.soon())
        return spec.name

    def message(self, queue: str, body: bytes | None = None, **fields: Any) -> Outgoing:
        """A message that no other is like: its id and body carry a number."""
        self._number += 1
        text = f"{self._number}/{self.seed}".encode() if body is None else body
        given = {"headers": {"n": self._number}, "id": f"m{self._number}-{self.name('i')}", **fields}
        return Outgoing(queue, text, **given)

    def messages(self, queue: str, count: int, **fields: Any) -> list[Outgoing]:
        """Several."""
        return [self.message(queue, **fields) for _ in range(count)]

    def try_send(self, broker: Broker, items: Sequence[Outgoing], seconds: float = PATIENCE_S) -> list[PublishResult]:
        """Publish and record; the results, of which any may be an error.

        Raises:
            DriverError: the call failed as a whole.
        """
        ops = [self.history.publishing(item) for item in items]
        try:
            results = broker.publish(items, self.soon(seconds))
        except DriverError as error:
            for op in ops:
                self.history.failed(op, error)
            raise
        assert len(results) == len(items), f"{len(items)} items were published, {len(results)} results came back"
        for op, result in zip(ops, results, strict=True):
            if result.error is None:
                self.history.end(op, Phase.OK)
            else:
                self.history.failed(op, result.error)
        return results

    def send(self, broker: Broker, *items: Outgoing) -> None:
        """Publish; each must be taken."""
        for item, result in zip(items, self.try_send(broker, items), strict=True):
            assert result.error is None, f"{item.id} was refused: {result.error!r}"

    def refusal(self, broker: Broker, item: Outgoing) -> DriverError:
        """Publish a message that must be refused; the error."""
        [result] = self.try_send(broker, [item])
        assert result.error is not None, f"it was taken: {item!r}"[:400]
        return result.error

    def receive(self, consumer: Consumer, most: int, wait_s: float) -> list[Delivery]:
        """Receive once and record."""
        began_at = time.time()
        found = consumer.receive(most, wait_s)
        self.history.received(found, id(consumer), began_at)
        assert len(found) <= most, f"receive({most}) returned {len(found)}"
        return found

    def take(self, consumer: Consumer, count: int, seconds: float = PATIENCE_S) -> list[Delivery]:
        """Receive until there are so many."""
        found: list[Delivery] = []
        end = time.monotonic() + seconds
        while len(found) < count:
            left = end - time.monotonic()
            assert left > 0, f"only {len(found)} of {count} messages came within {seconds:g} s"
            found += self.receive(consumer, count - len(found), min(left, 0.5))
        return found

    def one(self, consumer: Consumer, seconds: float = PATIENCE_S) -> Delivery:
        """Receive one message."""
        [found] = self.take(consumer, 1, seconds)
        return found

    def nothing(self, consumer: Consumer, seconds: float) -> None:
        """Nothing may come for so long."""
        found = self.receive(consumer, 10, seconds)
        assert not found, f"something came: {[one.message.id for one in found]}; {self.story(found[0])}"

    def try_settle(
        self, consumer: Consumer, kind: SettleKind, *deliveries: Delivery, **options: Any
    ) -> list[SettleResult]:
        """Settle and record; the results, of which any may be an error."""
        return self.settle_all(consumer, [Settle(one, kind, **options) for one in deliveries])

    def settle_all(self, consumer: Consumer, actions: Sequence[Settle]) -> list[SettleResult]:
        """Settle a mixed batch and record."""
        ops = [self.history.settling(action, id(consumer)) for action in actions]
        try:
            results = consumer.settle(actions, self.soon())
        except DriverError as error:
            for op in ops:
                self.history.failed(op, error)
            raise
        assert len(results) == len(actions), f"{len(actions)} settlements, {len(results)} results"
        for op, result in zip(ops, results, strict=True):
            if result.error is None:
                self.history.end(op, Phase.OK)
            else:
                self.history.failed(op, result.error)
        return results

    def settle(self, consumer: Consumer, kind: SettleKind, *deliveries: Delivery, **options: Any) -> None:
        """Settle; each must take effect."""
        for one, result in zip(deliveries, self.try_settle(consumer, kind, *deliveries, **options), strict=True):
            assert result.error is None, f"{kind} of {one.message.id}: {result.error!r}"

    def ack(self, consumer: Consumer, *deliveries: Delivery) -> None:
        """Acknowledge."""
        self.settle(consumer, SettleKind.ACK, *deliveries)

    def close(self, consumer: Consumer, *, release: bool = True) -> None:
        """Close a consumer and record it."""
        self.history.happened(Verb.CLOSE, "consumer closed", id(consumer))
        consumer.close(release, self.soon())

    def fault(self, what: str) -> None:
        """Record that something is broken on purpose."""
        self.history.happened(Verb.FAULT, what)

    @contextlib.contextmanager
    def faulty(self, what: str) -> Iterator[None]:
        """Record that something is broken during all that stands inside."""
        op = self.history.invoke(Verb.FAULT)
        try:
            yield
        finally:
            self.history.end(op, Phase.OK, what)

    def drain(self, broker: Broker, *queues: str, quiet_s: float | None = None) -> list[Delivery]:
        """Receive and acknowledge until nothing comes for a while."""
        quiet = QUIET_S + self.granularity_s if quiet_s is None else quiet_s
        consumer = broker.consumer(queues, 0)
        found: list[Delivery] = []
        while some := self.receive(consumer, 50, quiet):
            self.ack(consumer, *some)
            found += some
        self.close(consumer)
        return found

    def judge(self, **rules: Any) -> None:
        """Judge the history by :class:`~kernel_conformance.checker.Rules`."""
        given = Rules(**{"early_s": self.granularity_s, **rules})
        problems = check(self.history, given)
        if problems:
            raise AssertionError(f"{summary(problems)}\n--- history ---\n{self.history.text()}")

    def story(self, one: Delivery) -> str:
        """What the history says of a delivered message."""
        return self.history.of_message(one.message.id)

    def same(self, got: Outgoing, sent: Outgoing, **changed: Any) -> None:
        """A delivered message must equal what was sent, types of header values included."""
        wanted = replace(sent, **changed)
        assert _exact(got) == _exact(wanted), f"sent {wanted!r}, got {got!r}"[:900]

    def native(self, error: BaseException) -> bool:
        """Whether an exception is none of the kernel's."""
        return not isinstance(error, (KernelError, AssertionError))


def _exact(item: Outgoing) -> str:
    """A text that tells 1 from True and 1.0, whatever order the headers have."""
    fields = {name: getattr(item, name) for name in Outgoing.__dataclass_fields__}
    return repr({name: _sorted(value) for name, value in fields.items()})


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=repr)}
    if isinstance(value, (list, tuple)):
        return [_sorted(part) for part in value]
    return value
