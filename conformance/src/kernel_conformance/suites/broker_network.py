"""Brokers: connections that are reset, cut, slowed down or swallowed."""

import contextlib
import threading
import time
from collections.abc import Callable

from kernel.contracts import Broker, Consumer, Deadline, Delivery, Settle, SettleKind
from kernel.errors import Applied, Code, DriverError
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case
from kernel_conformance.checker import recovered
from kernel_conformance.proxy import ChaosProxy, Trouble

GONE = {Code.UNAVAILABLE, Code.TIMEOUT}
CUTS = 20
SHORT_S = 2.0


class NetworkSuite(BrokerCase):
    """A bad network."""

    def retry(self, call: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        """Call until no DriverError is raised, as the kernel does."""

        def works() -> bool:
            try:
                call()
            except DriverError as error:
                assert error.code in {*GONE, Code.LEASE_LOST}, f"{what} gives {error.code}: {error}"  # noqa: PT017 - it may work, too
                return False
            return True

        self.until(works, what, seconds)

    @case("BRK-047", faults=("proxy",))
    def a_reset_during_publish_is_unknown(self) -> None:
        """When the answer to a publish is lost, its outcome is UNKNOWN; publishing again leaves at least one copy.

        Every copy has the same id.

        Broken by: calling it a failure, publishing again inside the plugin with a new id.
        """
        proxy = self.proxy()
        broker, direct = self.broker(self.through(proxy)), self.broker()
        queue = self.queue(direct)
        self.send(broker, self.message(queue))
        items = self.messages(queue, 3)
        proxy.trouble = Trouble(cut_replies=True)
        self.fault("answers are cut")
        with contextlib.suppress(DriverError):
            self.try_send(broker, items)
        phases = {op.phase for op in self.history.ops[-3:]}
        assert phases == {"info"}, f"the answer was lost, and the publish ended as {phases}"
        proxy.heal()
        self.retry(lambda: self.send(broker, *items), "publishing again")
        self.drain(direct, queue)
        self.judge()
        assert recovered(self.history) <= len(items)

    @case("BRK-048", faults=("proxy",))
    def a_reset_during_receive_recovers(self) -> None:
        """When the connection is reset during a blocked receive, the next call works again by itself.

        Broken by: a consumer that has to be made anew, an endless retry inside receive.
        """
        proxy = self.proxy()
        broker, direct = self.broker(self.through(proxy)), self.broker()
        queue = self.queue(direct)
        consumer = broker.consumer([queue], 0)
        consumer.receive(1, 0)
        timer = threading.Timer(0.3, proxy.reset)
        timer.start()
        self.fault("connections reset")
        started = time.monotonic()
        with contextlib.suppress(DriverError):
            assert consumer.receive(1, 5.0) == []
        timer.join()
        took = time.monotonic() - started
        assert took <= 6.0 + self.slack_s, f"the receive went on for {took:.1f} s"
        self.send(direct, self.message(queue))
        self._take_all(consumer, 1)
        self.judge()

    @case("BRK-049", faults=("proxy",))
    def a_reset_before_settle_tells_the_truth(self) -> None:
        """After a reset between receive and settle, an ok settlement is one, and a refused one is redelivered.

        Broken by: answering ok because the request was sent, settling another message of the new connection.
        """
        proxy = self.proxy()
        broker, direct = self.broker(self.through(proxy)), self.broker()
        queue = self.queue(direct, lease_s=self.lease_s if self.caps.lease else None)
        for round_number in range(4):
            self.send(direct, *self.messages(queue, 2))
            consumer = broker.consumer([queue], 0)
            held = self.take(consumer, 2)
            if round_number % 2:
                proxy.trouble = Trouble(refuse=True)
            self.fault("connections reset")
            proxy.reset()
            settled: set[str] = set()
            try:
                results = self.try_settle(consumer, SettleKind.ACK, *held)
                settled = {one.message.id for one, result in zip(held, results, strict=True) if result.ok}
            except DriverError as error:
                assert error.code in {*GONE, Code.LEASE_LOST}, f"it gives {error.code}"  # noqa: PT017 - it may work, too
                unknown = error.outcome is not Applied.NOT_APPLIED
                settled = {one.message.id for one in held} if unknown else set()
            proxy.heal()
            with contextlib.suppress(DriverError):
                self.close(consumer)
            wanted = {one.message.id for one in held} - settled
            back = self._drained(direct, queue, wanted)
            assert wanted <= back, f"{len(wanted - back)} were refused and did not come back; {self.history.text(20)}"
        self.judge(drained=False)

    @case("BRK-050", faults=("proxy",), timeout_s=40)
    def a_black_hole_ends_by_the_deadline(self) -> None:
        """When the network swallows everything, each call ends by its deadline plus a second, and no thread stays.

        Broken by: a socket without timeout, a retry loop inside the client library.
        """
        proxy = self.proxy()
        broker, direct = self.broker(self.through(proxy)), self.broker()
        queue = self.queue(direct)
        self.send(direct, self.message(queue))
        consumer = broker.consumer([queue], 0)
        held = self.one(consumer)
        threads = threading.active_count()
        proxy.trouble = Trouble(black_hole=True)
        self.fault("black hole")
        calls: dict[str, Callable[[], object]] = {
            "publish": lambda: self.try_send(broker, [self.message(queue)], SHORT_S),
            "ping": lambda: broker.ping(Deadline.after(SHORT_S)),
            "settle": lambda: self._late_ack(consumer, held),
        }
        for name, call in calls.items():
            started = time.monotonic()
            error = _error_of(call)
            took = time.monotonic() - started
            assert error is not None, f"{name} works in a black hole"
            assert error.code in GONE, f"{name} gives {error.code}"
            assert took <= SHORT_S + 1.0 + self.slack_s, f"{name} took {took:.1f} s, its deadline was {SHORT_S} s"
        proxy.heal()
        proxy.reset()
        self.retry(lambda: broker.ping(self.soon(5)), "a ping after the black hole")
        self.until(lambda: threading.active_count() <= threads + 2, "the end of threads that the black hole left", 10)

    @case("BRK-051", faults=("proxy",), timeout_s=120)
    def slow_networks_are_only_slow(self) -> None:
        """With 200 ms more latency and 64 kbit/s everything works; no connection is given up.

        Broken by: heartbeats and timeouts made for a local network.
        """
        proxy = self.proxy()
        proxy.trouble = Trouble(latency_s=0.2, bytes_per_s=8_000)
        broker = self.broker(self.through(proxy))
        queue = self.queue(broker)
        consumer = broker.consumer([queue], 0)
        self.send(broker, self.message(queue))
        self.ack(consumer, self.one(consumer, 60))
        before = proxy.accepted  # all the connections it likes to have are there now
        self.send(broker, *self.messages(queue, 10))
        found = self.take(consumer, 10, 60)
        self.ack(consumer, *found)
        assert proxy.accepted <= before, f"{proxy.accepted - before} new connections were made meanwhile"
        self.judge()

    @case("BRK-052", faults=("proxy",), timeout_s=240)
    def a_cut_at_any_byte_is_survived(self) -> None:
        """A connection that is cut after any byte of a request or an answer: an error or ok, never a wrong message.

        Whatever was ok is there; nothing is torn or invented.

        Broken by: half an answer read as a whole one, the rest of an answer read as the next one.
        """
        proxy = self.proxy()
        direct = self.broker()
        queue = self.queue(direct, lease_s=self.lease_s if self.caps.lease else None)
        sizes = self._traffic(proxy, queue)
        with self.faulty("connections are cut"):
            for number in range(CUTS):
                upward = number % 2 == 0
                at = self.random.randrange(1, max(2, sizes[0 if upward else 1]))
                proxy.trouble = Trouble(cut_request_at=at) if upward else Trouble(cut_reply_at=at)
                self._round(self.through(proxy), queue)
                proxy.heal()
            proxy.reset()
            self._drained(direct, queue, set(), self.lease_s + self.slack_s)
        self.judge(drained=True)

    @case("BRK-067", faults=("proxy",), timeout_s=120)
    def no_native_exception_escapes(self) -> None:
        """Without a server every call gives a DriverError whose ``__cause__`` is the native one, with nothing secret.

        Broken by: a call that was forgotten, an exception class the client library added.
        """
        proxy = self.proxy()
        broker, direct = self.broker(self.through(proxy)), self.broker()
        queue = self.queue(direct)
        self.send(direct, self.message(queue))
        consumer = broker.consumer([queue], 0)
        held = self.one(consumer)
        proxy.trouble = Trouble(refuse=True)
        calls: dict[str, Callable[[], object]] = {
            "publish": lambda: self.try_send(broker, [self.message(queue)], SHORT_S),
            "receive": lambda: consumer.receive(1, 0.1),
            "settle": lambda: self._late_ack(consumer, held),
            "ping": lambda: broker.ping(Deadline.after(SHORT_S)),
            "declare": lambda: self.queue(broker),
            "delete": lambda: broker.delete([queue], Deadline.after(SHORT_S)),
            "open": lambda: self.new_broker(self.through(proxy)).open(Deadline.after(SHORT_S)),
        }
        for name, call in calls.items():
            proxy.reset()
            try:
                error = _error_of(call)
            except Exception as native:
                raise AssertionError(f"{name}: a native {type(native).__name__} escapes: {native}") from native
            assert error is not None, f"{name} works without a server"
            assert error.__cause__ is not None or error.code is Code.LEASE_LOST, f"{name}: the native error is lost"
            secret = self.harness.secret
            assert not secret or secret not in f"{error} {error.__cause__}", f"{name}: the password is shown"

    def _late_ack(self, consumer: Consumer, held: Delivery) -> object:
        """Settle with a short deadline; a refusal per item is raised."""
        [result] = consumer.settle([Settle(held, SettleKind.ACK)], Deadline.after(SHORT_S))
        if result.error is not None:
            raise result.error
        return result

    def _take_all(self, consumer: Consumer, count: int) -> None:
        """Receive so many, and acknowledge them, in spite of errors."""
        found: list[Delivery] = []

        def done() -> bool:
            with contextlib.suppress(DriverError):
                found.extend(self.receive(consumer, count - len(found), 0.5))
            return len(found) >= count

        self.until(done, f"the arrival of {count} messages", 20)
        self.retry(lambda: self.ack(consumer, *found), "acknowledging")

    def _drained(self, broker: Broker, queue: str, wanted: set[str], seconds: float = 0.0) -> set[str]:
        """Receive and acknowledge until ``wanted`` came, or for so long."""
        consumer = broker.consumer([queue], 0)
        end = time.monotonic() + max(seconds, (self.lease_s + self.slack_s + 3) if wanted else 0.0)
        found: set[str] = set()
        while time.monotonic() < end and not (wanted and wanted <= found):
            some = self.receive(consumer, 10, 0.2)
            self.ack(consumer, *some)
            found |= {one.message.id for one in some}
        self.close(consumer)
        return found | {one.message.id for one in self.drain(broker, queue)}

    def _traffic(self, proxy: ChaosProxy, queue: str) -> tuple[int, int]:
        """How many bytes go each way in one undisturbed round, per connection at most."""
        before = proxy.requests, proxy.replies
        self._round(self.through(proxy), queue)
        return proxy.requests - before[0], proxy.replies - before[1]

    def _round(self, url: str, queue: str) -> None:
        """Open, publish, receive and acknowledge once, whatever happens."""
        broker = self.new_broker(url)
        with contextlib.suppress(DriverError):
            broker.open(self.soon(5))
            with contextlib.suppress(DriverError):
                self.try_send(broker, self.messages(queue, 2), 5)
            consumer = broker.consumer([queue], 0)
            found = self.receive(consumer, 2, 0.2)
            self.try_settle(consumer, SettleKind.ACK, *found)
        with contextlib.suppress(DriverError):
            broker.close(self.soon(5))


def _error_of(call: Callable[[], object]) -> DriverError | None:
    """The DriverError of a call, raised or returned for its first item."""
    try:
        found = call()
    except DriverError as error:
        return error
    first = found[0] if isinstance(found, list) and found else None
    refused: DriverError | None = getattr(first, "error", None)
    return refused
