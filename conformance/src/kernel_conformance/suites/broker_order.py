"""Brokers: order, groups, priority, deduplication, fan-out, exchanges, peeking."""

import threading
import time
from dataclasses import replace

from kernel.contracts import Settle, SettleKind
from kernel.errors import Code
from kernel.model.topology import Binding, Exchange
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case


class OrderSuite(BrokerCase):
    """Order and copies."""

    @case("BRK-056", needs=("order",))
    def a_queue_keeps_its_order(self) -> None:
        """With one producer and one consumer, messages come in the order they were published in.

        Broken by: sharded queues, batches that are sent in parallel, ordering by a coarse clock.
        """
        broker = self.broker()
        queue = self.queue(broker)
        for size in (1, 7, 30, 1, 1, 20):
            self.send(broker, *self.messages(queue, size))
        found = self.drain(broker, queue)
        numbers = [one.message.headers["n"] for one in found]
        assert numbers == sorted(numbers), f"they came as {numbers}"
        self.judge(ordered=frozenset({queue}))

    @case("BRK-057", needs=("fifo_group",), timeout_s=90)
    def groups_keep_their_order(self) -> None:
        """Each group comes in order, under four consumers and releases, with one message of a group out at a time.

        Broken by: a released message that goes to the end, handing the next out before the first is settled.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        groups = [f"g{number}" for number in range(4)]
        items = [self.message(queue, group=groups[number % 4]) for number in range(60)]
        self.send(broker, *items)
        errors: list[BaseException] = []
        left = {item.id for item in items}

        def consume(number: int) -> None:
            try:
                consumer = broker.consumer([queue], 0)
                released = 0
                end = time.monotonic() + 45
                while left and time.monotonic() < end:
                    for one in self.receive(consumer, 3, 0.2):
                        if released < 3 and one.message.headers["n"] % 4 == number:
                            released += 1
                            self.settle(consumer, SettleKind.RELEASE, one)
                        else:
                            self.ack(consumer, one)
                            left.discard(one.message.id)
            except BaseException as error:  # noqa: BLE001 - judged below
                errors.append(error)

        threads = [threading.Thread(target=consume, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, repr(errors[0])
        self.judge(one_in_flight=True)

    @case("BRK-058", needs=("priority",))
    def the_urgent_come_first(self) -> None:
        """A backlog drains from the highest priority down; a priority outside the queue's range is INVALID.

        Broken by: ignoring the field silently, a prefetch that takes the backlog before it is sorted, clamping.
        """
        broker = self.broker()
        top = min(9, self.caps.limits.max_priority or 9)
        queue = self.queue(broker, max_priority=top)
        priorities = [0, top, top // 2, 0, top, top // 2]
        self.send(broker, *[self.message(queue, priority=priority) for priority in priorities])
        consumer = broker.consumer([queue], 1)
        came = []
        for _ in priorities:
            found = self.one(consumer)
            came.append(found.message.priority)
            self.ack(consumer, found)
        assert came == sorted(priorities, reverse=True), f"priorities {priorities} came as {came}"
        for wrong in (top + 1, -1):
            error = self.refusal(broker, self.message(queue, priority=wrong))
            assert error.code is Code.INVALID, f"priority {wrong} of 0 to {top} gives {error.code}"
        self.judge()

    @case("BRK-061", needs=("dedup",))
    def equal_dedup_ids_are_stored_once(self) -> None:
        """Messages of one ``dedup_id`` are stored once within the window, in one batch or several; others all are.

        Broken by: one window for all queues, deduplicating by body, a window that begins when it is read.
        """
        broker, other = self.broker(), self.broker()
        queue, second = self.queue(broker), self.queue(broker)
        one = self.message(queue, dedup_id="x")
        self.send(broker, one, replace(one, body=b"again"), self.message(queue, dedup_id="y"))
        self.send(other, replace(one, id=self.name("id")), self.message(second, dedup_id="x"))
        counts = {name: len(self.drain(broker, name)) for name in (queue, second)}
        assert counts == {queue: 2, second: 1}, f"x, x, y, x in one queue and x in another are {list(counts.values())}"
        self.send(other, replace(one, id=self.name("id")))
        assert self.drain(broker, queue) == [], "acknowledging the first made a second one possible"

    @case("BRK-062", needs=("fanout",))
    def every_subscriber_gets_a_copy(self) -> None:
        """Each subscriber of a fan-out gets one copy; one that reads nothing holds up nobody.

        With nobody listening the message is dropped, which is ok. A temporary queue goes with its connection.

        Broken by: subscribers that share a queue, waiting for all of them.
        """
        publisher = self.broker()
        exchange = Exchange(self.name("news"), "fanout")
        item = self.message("", exchange=exchange.name, routing_key="any")
        first = self.broker()
        queue = self.queue(first, "slow", temporary=True, bindings=(Binding(exchange),))
        readers = []
        for _ in range(3):
            reader = self.broker()
            own = self.queue(reader, "reader", temporary=True, bindings=(Binding(exchange),))
            readers.append((own, reader.consumer([own], 0)))
        items = [item, *(self.message("", exchange=exchange.name) for _ in range(20))]
        results = publisher.publish(items, self.soon())
        assert all(result.ok for result in results), f"{[result.error for result in results if result.error]}"
        for own, consumer in readers:
            found = self.take(consumer, len(items))
            assert sorted(one.message.id for one in found) == sorted(one.id for one in items), "not one copy each"
            assert {one.message.queue for one in found} == {own}
            self.nothing(consumer, 0.2)
        slow = self.take(first.consumer([queue], 0), len(items))
        assert len(slow) == len(items)
        first.close(self.soon())
        [gone] = publisher.publish([self.message(queue)], self.soon())
        assert gone.error is not None, "a temporary queue outlives its connection"
        assert gone.error.code is Code.NOT_FOUND, f"a temporary queue that is gone gives {gone.error.code}"

    @case("BRK-069", needs=("exchanges",))
    def exchanges_route(self) -> None:
        """Direct and topic exchanges copy to the queues whose binding matches; no match drops the message and is ok.

        Broken by: matching by prefix, one copy per binding instead of per queue, ignoring the queue's own exchange.
        """
        broker = self.broker()
        direct, topic = Exchange(self.name("d"), "direct"), Exchange(self.name("t"), "topic")
        tasks = (Binding(topic, "task.#"), Binding(topic, "*.sent"))
        one = self.queue(broker, exchange=direct, routing_key="k", bindings=tasks)
        two = self.queue(broker, exchange=direct, routing_key="other", bindings=(Binding(topic, "#"),))
        calls = [
            (direct, "k"),
            (direct, "other"),
            (direct, "no"),
            (topic, "task.sent"),
            (topic, "x"),
            (topic, "task.a.b"),
        ]
        items = [self.message("", exchange=exchange.name, routing_key=key) for exchange, key in calls]
        results = broker.publish(items, self.soon())
        assert all(result.ok for result in results), f"{[result.error for result in results]}"
        wanted = {one: [0, 3, 5], two: [1, 3, 4, 5]}
        for queue, indexes in wanted.items():
            found = [item.message.id for item in self.take(broker.consumer([queue], 0), len(indexes))]
            assert sorted(found) == sorted(items[index].id for index in indexes), (
                f"queue of {indexes} got other messages"
            )
            self.nothing(broker.consumer([queue], 0), 0.2)

    @case("BRK-070", needs=("peek",))
    def peeking_takes_nothing(self) -> None:
        """Peeking shows the oldest messages whole, leases nothing, counts no attempt, and its receipts settle nothing.

        Broken by: receiving and releasing, which counts an attempt.
        """
        broker = self.broker()
        queue = self.queue(broker)
        items = self.messages(queue, 5)
        self.send(broker, *items)
        seen = broker.peek(queue, 3, self.soon())
        assert [one.message.id for one in seen] == [item.id for item in items[:3]], "not the three oldest in order"
        self.same(seen[0].message, items[0])
        consumer = broker.consumer([queue], 0)
        [result] = consumer.settle([Settle(seen[0], SettleKind.ACK)], self.soon())
        assert result.error is not None, "a receipt from peek() acknowledges"
        found = self.drain(broker, queue)
        assert len(found) == 5, f"{len(found)} of 5 messages are there after peeking"
        assert {one.attempt for one in found} <= {None, 1}, "peeking counted as a delivery"
        self.judge()
