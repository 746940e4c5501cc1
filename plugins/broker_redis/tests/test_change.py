"""A consumer that changes its queues (Consumer.change)."""

import time

from kernel.contracts import Deadline, Outgoing, Settle, SettleKind
from kernel.model.topology import QueueSpec


def soon():
    return Deadline.after(15)


def take(consumer, count):
    found, end = [], time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < end, f"{len(found)} of {count} came"
        found += consumer.receive(count - len(found), 0.5)
    return found


def send(broker, queue, ident):
    (result,) = broker.publish([Outgoing(queue, b"{}", {"task": "t", "id": ident}, ident)], soon())
    assert result.error is None


def ids(deliveries):
    return sorted(one.message.id for one in deliveries)


def check(broker, first, second):
    """Queues taken up and left; what was given out of one that is left stays, and can be settled."""
    broker.declare([QueueSpec(first), QueueSpec(second)], soon())
    consumer = broker.consumer([first], 0)
    send(broker, first, "a")
    held = take(consumer, 1)
    send(broker, second, "b")
    consumer.change([first, second], soon())
    assert ids(take(consumer, 1)) == ["b"]
    consumer.change([second], soon())
    send(broker, first, "c")
    send(broker, second, "d")
    assert ids(take(consumer, 1)) == ["d"]
    consumer.change([], soon())
    assert [each for each in consumer.receive(5, 0.3) if each.message.queue == second] == []
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        consumer.receive(5, 0.5)
    (result,) = consumer.settle([Settle(held[0], SettleKind.ACK)], soon())
    assert result.error is None
    consumer.change([second, first], soon())
    assert ids(take(consumer, 1)) == ["c"]
    consumer.close(True, soon())


def test_queues_are_taken_up_and_left(site):
    check(site.broker(), "one", "two")
