"""Brokers: acknowledging, releasing, rejecting, settling twice, late or wrongly."""

import threading
import time
from dataclasses import replace

from kernel.contracts import Delivery, Settle, SettleKind
from kernel.errors import Code
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case

GARBAGE: list[object] = [None, b"x", "x", 5, (), (1,), ("a", "b"), (10**30, 1), (-1, -1), "0" * 300]
NO_LONGER = {Code.LEASE_LOST, Code.INVALID}
SATURATED_S = 3.0


class SettleSuite(BrokerCase):
    """Settlements."""

    @case("BRK-028", timeout_s=90)
    def an_acknowledged_message_never_returns(self) -> None:
        """An acknowledged message never comes back: not after three leases, nor to a new connection.

        Where the harness can look past the plugin, the queue is empty there as well.

        Broken by: an acknowledgement that only forgets locally, or that is sent when the consumer is closed.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=self.lease_s if self.caps.lease else None)
        self.send(broker, *self.messages(queue, 5))
        consumer = broker.consumer([queue], 0)
        self.ack(consumer, *self.take(consumer, 5))
        self.nothing(consumer, 3 * self.lease_s + self.granularity_s if self.caps.lease else 1.0)
        self.close(consumer)
        broker.close(self.soon())
        broker.open(self.soon())
        self.nothing(broker.consumer([queue], 0), 0.3)
        other = self.broker()
        self.nothing(other.consumer([queue], 0), 0.3 + self.granularity_s)
        raw = self.harness.raw_depth(queue)
        assert raw in {None, 0}, f"past the plugin {raw} messages are still in the queue"
        self.judge()

    @case("BRK-029")
    def a_closed_consumer_gives_back(self) -> None:
        """What a consumer holds when it is closed with ``release`` goes to another consumer promptly.

        What it acknowledged before does not.

        Broken by: waiting for the lease to end, releasing what was acknowledged in the same moment.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, *self.messages(queue, 4))
        consumer = broker.consumer([queue], 0)
        held = self.take(consumer, 4)
        self.ack(consumer, *held[:2])
        self.close(consumer)
        with self.raises(Code.CLOSED):
            consumer.receive(1, 0)
        second = other.consumer([queue], 0)
        again = self.take(second, 2, 5 + self.slack_s)
        assert {one.message.id for one in again} == {one.message.id for one in held[2:]}
        self.ack(second, *again)
        self.drain(broker, queue)
        self.judge()

    @case("BRK-030", needs=("attempts",))
    def a_release_comes_back_and_counts(self) -> None:
        """A released message comes back promptly, marked redelivered, with its attempt one higher.

        Broken by: counting per consumer, republishing instead of releasing, an attempt that is always 1.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, self.message(queue))
        consumers = [broker.consumer([queue], 0), other.consumer([queue], 0)]
        for attempt in range(1, 5):
            consumer = consumers[attempt % 2]
            found = self.one(consumer, 5 + self.slack_s)
            assert found.attempt == attempt, f"delivery {attempt} says attempt={found.attempt}"
            assert found.redelivered in {None, attempt > 1}, f"delivery {attempt} says redelivered={found.redelivered}"
            assert attempt == 1 or found.redelivered is True, f"delivery {attempt} says redelivered={found.redelivered}"
            self.settle(consumer, SettleKind.RELEASE, found)
        self.drain(broker, queue)
        self.judge()

    @case("BRK-031", needs=("nack_delay",))
    def a_release_may_be_delayed(self) -> None:
        """A message released with a delay comes back neither before it nor later than the slack.

        Broken by: rounding down, hiding the message only for the consumer that released it.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, self.message(queue))
        consumer = broker.consumer([queue], 0)
        found = self.one(consumer)
        delay_s = max(1.0, 4 * self.granularity_s)
        self.settle(consumer, SettleKind.RELEASE, found, seconds=delay_s)
        started = time.monotonic()
        second = other.consumer([queue], 0)
        again = self.one(second, delay_s + self.slack_s)
        took = time.monotonic() - started
        assert took >= delay_s - self.granularity_s - 0.05, f"released for {delay_s} s, it came after {took:.2f} s"
        self.ack(second, again)
        self.judge()

    @case("BRK-032", needs=("dlq",))
    def a_rejected_message_is_kept_with_its_reason(self) -> None:
        """A rejected message moves to the dead letter with its reason, its headers and where it came from.

        Broken by: dropping it, losing headers on the way, a reason cut to ASCII.
        """
        broker = self.broker()
        dead = self.name("dead")
        queue = self.queue(broker, dead_letter=dead)
        sent = self.message(queue, headers={"task": "a.b", "n": 1, "nested": {"x": [1]}})
        self.send(broker, sent)
        consumer = broker.consumer([queue], 0)
        reason = "nobody knows this täsk 日"
        self.settle(consumer, SettleKind.REJECT, self.one(consumer), reason=reason)
        found = self.one(broker.consumer([dead], 0), 5 + self.slack_s)
        assert found.dead_reason == reason, f"the reason is {found.dead_reason!r}, not {reason!r}"
        assert found.dead_queue == queue, f"the origin is {found.dead_queue!r}, not {queue!r}"
        self.same(found.message, sent, queue=dead)
        self.nothing(consumer, 0.3)
        self.judge(drained=False, ignore=frozenset({dead}))

    @case("BRK-033", needs=("dlq", "attempts"))
    def a_poison_message_is_buried_once(self) -> None:
        """A message nobody can settle is delivered ``delivery_limit`` times, then it is in the dead letter once.

        Others in its queue are not held up.

        Broken by: off by one, a copy left in the queue, a limit that counts per consumer.
        """
        broker = self.broker()
        dead = self.name("dead")
        queue = self.queue(broker, dead_letter=dead, delivery_limit=3, lease_s=max(60.0, self.lease_s))
        poison = self.message(queue)
        self.send(broker, poison)
        consumer = broker.consumer([queue], 0)
        for attempt in (1, 2, 3):
            found = self.one(consumer, 5 + self.slack_s)
            assert found.attempt == attempt, f"delivery {attempt} says attempt={found.attempt}"
            self.settle(consumer, SettleKind.RELEASE, found)
        healthy = self.message(queue)
        self.send(broker, healthy)
        found = self.one(consumer, 5 + self.slack_s)
        assert found.message.id == healthy.id, "it is delivered a fourth time"
        self.ack(consumer, found)
        buried = self.drain(broker, dead, quiet_s=self.slack_s)
        assert [one.message.id for one in buried] == [poison.id], f"{len(buried)} copies are in the dead letter"
        assert buried[0].dead_queue == queue
        assert self.drain(broker, queue) == []

    @case("BRK-034")
    def settling_twice_is_harmless(self) -> None:
        """Settling a settled delivery again is ok or LEASE_LOST, and never touches another message.

        Broken by: receipts that are numbers used again, a channel that is closed by a double acknowledgement.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, self.message(queue))
        consumer = broker.consumer([queue], 0)
        first = self.one(consumer)
        self.ack(consumer, first)
        self.send(broker, self.message(queue))
        second = self.one(consumer)
        for kind in (SettleKind.ACK, SettleKind.RELEASE, SettleKind.REJECT):
            [result] = consumer.settle([Settle(first, kind)], self.soon())
            code = None if result.error is None else result.error.code
            assert code in {None, Code.LEASE_LOST}, f"a second settlement ({kind}) gives {code}"
        self.nothing(consumer, 0.3)
        self.ack(consumer, second)
        self.drain(broker, queue)
        self.judge()

    @case("BRK-035")
    def a_wrong_receipt_fails_alone(self) -> None:
        """A receipt the broker never gave fails with INVALID or LEASE_LOST, and the others of its batch are settled.

        Broken by: a type error inside the plugin, one request for the batch that fails as a whole.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        consumer = broker.consumer([queue], 0)
        for receipt in GARBAGE:
            self.send(broker, self.message(queue))
            held = self.one(consumer)
            wrong = replace(held, receipt=receipt)
            results = consumer.settle([Settle(wrong, SettleKind.ACK), Settle(held, SettleKind.ACK)], self.soon())
            codes = [result.error and result.error.code for result in results]
            assert codes[0] in NO_LONGER, f"receipt {receipt!r} gives {codes[0]}"
            assert codes[1] is None, f"beside receipt {receipt!r} the good one gives {codes[1]}"
        self.nothing(consumer, 0.3)

    @case("BRK-036")
    def acknowledgements_in_any_order(self) -> None:
        """Acknowledging out of order settles those messages and no others.

        Broken by: acknowledging everything up to a message (a log's checkpoint, AMQP's multiple=True).
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, *self.messages(queue, 10))
        consumer = broker.consumer([queue], 0)
        held = self.take(consumer, 10)
        chosen = self.random.sample(held[1:], 6)
        for one in chosen:
            self.ack(consumer, one)
        self.close(consumer)
        again = self.drain(other, queue, quiet_s=1.0 + self.granularity_s)
        wanted = {one.message.id for one in held} - {one.message.id for one in chosen}
        got = sorted(one.message.id for one in again)
        assert got == sorted(wanted), f"{len(wanted)} were not acknowledged, {len(got)} came back"
        self.judge()

    @case("BRK-037")
    def settling_from_another_thread(self) -> None:
        """A delivery may be settled from another thread, also while the owner's receive blocks.

        Broken by: a connection bound to its thread, a lock held during the wait.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, *self.messages(queue, 3))
        consumer = broker.consumer([queue], 0)
        held = self.take(consumer, 3)
        errors: list[BaseException] = []
        took: list[float] = []

        def settle(one: Delivery) -> None:
            try:
                started = time.monotonic()
                self.ack(consumer, one)
                took.append(time.monotonic() - started)
            except BaseException as error:  # noqa: BLE001 - judged below
                errors.append(error)

        threads = [threading.Thread(target=settle, args=(one,)) for one in held]
        blocked = threading.Thread(target=consumer.receive, args=(1, 3.0 + self.slack_s))
        blocked.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        consumer.wake()
        blocked.join()
        assert not errors, repr(errors[0])
        assert max(took) <= 2.0 + self.slack_s, f"settling waited {max(took):.1f} s for the blocked receive"
        self.close(consumer)
        assert self.drain(broker, queue) == []
        self.judge()

    @case("BRK-038")
    def flow_resumes_after_saturation(self) -> None:
        """A consumer that holds all it may for 3 s goes on as soon as it has settled.

        Broken by: a connection that stalls or is closed while nothing is read from it.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.send(broker, *self.messages(queue, 12))
        consumer = broker.consumer([queue], 5)
        held = self.take(consumer, 5)
        if self.caps.prefetch:
            self.nothing(consumer, SATURATED_S)
        else:
            time.sleep(SATURATED_S)  # the point is the time, not an event
        self.ack(consumer, *held)
        for _ in range(7):
            self.ack(consumer, self.one(consumer, 5 + self.slack_s))
        self.judge()

    @case("BRK-071", needs=("uncount", "attempts"))
    def a_delivery_that_never_started_does_not_count(self) -> None:
        """RELEASE of a delivery whose body never began takes its attempt back, so that it cannot be buried unseen.

        Broken by: ignoring ``started``.
        """
        broker = self.broker()
        queue = self.queue(broker, delivery_limit=2, lease_s=max(60.0, self.lease_s))
        self.send(broker, self.message(queue))
        consumer = broker.consumer([queue], 0)
        for _ in range(4):
            found = self.one(consumer)
            assert found.attempt == 1, f"attempt={found.attempt} although none ever began"
            self.settle(consumer, SettleKind.RELEASE, found, started=False)
        self.drain(broker, queue)
        self.judge()
