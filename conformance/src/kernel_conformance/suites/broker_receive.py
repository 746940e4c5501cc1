"""Brokers: waiting, waking, bounds, fairness, many consumers."""

import threading
import time

from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case
from kernel_conformance.crew import Crew
from kernel_conformance.suite import PATIENCE_S

WAITS_S = (0.0, 0.5, 2.0)
IDLE_CPU = 0.05
WAKE_P95_S = 1.0
ROUNDS = 20


class ReceiveSuite(BrokerCase):
    """Receiving."""

    @case("BRK-022", timeout_s=20)
    def an_idle_receive_waits_as_told(self) -> None:
        """An idle receive waits as long as it is told (0, 0.5 and 2 s), returns [], and leaves the CPU alone.

        Broken by: polling in a loop, a minimum wait of the client library, rounding to whole seconds.
        """
        broker = self.broker()
        consumer = broker.consumer([self.queue(broker)], 0)
        consumer.receive(1, 0)
        for wait_s in WAITS_S:
            started, cpu = time.monotonic(), time.process_time()
            found = consumer.receive(1, wait_s)
            took, cpu = time.monotonic() - started, time.process_time() - cpu
            assert found == [], f"an empty queue gives {found!r}"
            assert took >= wait_s - self.granularity_s - 0.01, f"receive(wait_s={wait_s}) returned after {took:.3f} s"
            assert took <= wait_s + self.slack_s, f"receive(wait_s={wait_s}) took {took:.3f} s"
            allowed = wait_s * IDLE_CPU + 0.05
            assert cpu <= allowed, f"waiting {wait_s} s idly took {cpu:.3f} s of CPU, allowed are {allowed:.3f} s"

    @case("BRK-023")
    def a_publication_wakes_a_blocked_receive(self) -> None:
        """A message published while a receive blocks wakes it: 19 of 20 within a second beyond the granularity.

        Broken by: polling with a growing pause, a long poll that does not look again.
        """
        broker, publisher = self.broker(), self.broker()
        queue = self.queue(broker)
        consumer = broker.consumer([queue], 0)
        sent: list[float] = []
        latencies: list[float] = []

        def publish() -> None:
            sent.append(time.monotonic())
            self.send(publisher, self.message(queue))

        for _ in range(ROUNDS):
            timer = threading.Timer(0.03, publish)
            timer.start()
            [found] = self.receive(consumer, 1, PATIENCE_S)
            latencies.append(time.monotonic() - sent[-1])
            timer.join()
            self.ack(consumer, found)
        p95 = sorted(latencies)[int(ROUNDS * 0.95) - 1]
        bound = WAKE_P95_S + self.granularity_s
        assert p95 <= bound, f"19 of 20 wake-ups take up to {p95:.2f} s, allowed are {bound:.2f} s"
        self.judge()

    @case("BRK-024")
    def wake_unblocks(self) -> None:
        """``wake()`` from another thread ends a blocked receive at once, and the next one when none is blocked.

        Broken by: a flag that is only looked at after the wait, a wake that is lost when it comes first.
        """
        broker = self.broker()
        consumer = broker.consumer([self.queue(broker)], 0)
        timer = threading.Timer(0.1, consumer.wake)
        started = time.monotonic()
        timer.start()
        assert consumer.receive(1, 30) == [], "an empty queue gives something"
        timer.join()
        took = time.monotonic() - started
        assert took <= 1.0 + self.slack_s, f"the receive ended {took:.1f} s after wake()"
        consumer.wake()
        started = time.monotonic()
        assert consumer.receive(1, 30) == [], "an empty queue gives something"
        took = time.monotonic() - started
        assert took <= 1.0 + self.slack_s, f"a wake() before the receive is lost: it took {took:.1f} s"

    @case("BRK-025", needs=("prefetch",))
    def prefetch_bounds_what_is_out(self) -> None:
        """Never more than ``max_n`` at once, never more than ``prefetch`` unsettled; settling one frees its place.

        Broken by: counting per receive instead of unsettled deliveries, a place that a release does not free.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, *self.messages(queue, 10))
        consumer = broker.consumer([queue], 3)
        held = self.take(consumer, 2)
        held += self.receive(consumer, 10, 0.5)
        assert len(held) == 3, f"{len(held)} are unsettled with a prefetch of 3"
        self.nothing(consumer, 0.3)
        self.ack(consumer, held[1])
        fourth = self.one(consumer)
        self.nothing(consumer, 0.3)
        self.ack(consumer, held[0], held[2], fourth)
        self.drain(broker, queue)
        self.judge()

    @case("BRK-026")
    def no_queue_starves(self) -> None:
        """A consumer of several queues serves each of them, however full the others are.

        Broken by: draining the first queue before looking at the second.
        """
        broker = self.broker()
        queues = [self.queue(broker) for _ in range(3)]
        count = min(40, self.harness.load // 4)
        for queue in queues:
            self.send(broker, *self.messages(queue, count if queue is not queues[-1] else 5))
        consumer = broker.consumer(queues, 0)
        seen: set[str] = set()
        for _ in range(8):
            found = self.take(consumer, 5)
            seen |= {one.message.queue for one in found}
            self.ack(consumer, *found)
        assert seen == set(queues), f"after 40 messages only {len(seen)} of 3 queues were served"
        self.close(consumer)
        self.drain(broker, *queues)
        self.judge()

    @case("BRK-027", timeout_s=240)
    def many_consumers_lose_and_double_nothing(self) -> None:
        """8 consumers take 1,000 messages without any fault: none is lost, none comes twice.

        Broken by: two consumers claiming the same message, acknowledging the wrong one, acknowledging all before it.
        """
        queue = self.queue(self.broker())
        count = self.harness.load
        crew = Crew(self, queue, 8)
        publisher = self.broker()
        try:
            for start in range(0, count, 50):
                self.send(publisher, *self.messages(queue, min(50, count - start)))
            self.until(lambda: crew.acked() >= count or crew.errors, f"the acknowledgement of {count} messages", 120)
        finally:
            crew.stop()
        assert not crew.errors, repr(crew.errors[0])
        left = self.drain(publisher, queue)
        assert not left, f"{len(left)} messages are still there after {count} acknowledgements"
        self.judge()
