"""A consumer that changes its queues (Consumer.change)."""

import time

import pytest

from kernel.builtins.memory.broker import MemoryBroker
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import Consumer, Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.errors import Code, DriverError
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


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_queues_are_taken_up_and_left(kind, tmp_path):
    if kind == "memory":
        broker = MemoryBroker("memory://change", {}, PluginContext())
    else:
        broker = SqliteBroker(f"sqlite:///{tmp_path}/k.db", {}, PluginContext())
    with broker:
        check(broker, "one", "two")


def test_a_consumer_that_cannot_refuses():
    class Plain(Consumer):
        def receive(self, max_n, wait_s):
            return []

        def settle(self, actions, deadline):
            return []

        def wake(self):
            pass

        def close(self, release, deadline):
            pass

    with pytest.raises(DriverError, match="Plain cannot change its queues") as caught:
        Plain().change(["q"], soon())
    assert caught.value.code is Code.UNSUPPORTED
