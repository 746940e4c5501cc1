"""What Celery sees of us and we of Celery: declarations, messages, the delay ladder (wire.md 1, 5, 6)."""

import time

import amqp
import pytest

from kernel.contracts import Deadline, Outgoing, Settle, SettleKind
from kernel.model.topology import Binding, Exchange, QueueSpec
from plugin_broker_amqp import native
from plugin_broker_amqp.address import addresses
from plugin_broker_amqp.ladder import STEPS, Ladder, landing
from plugin_broker_amqp.options import Options
from plugin_broker_amqp.stream import discard


def soon(seconds=10.0):
    return Deadline.after(seconds)


def one(consumer, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = consumer.receive(1, 0.5)
        if found:
            return found[0]
    raise AssertionError("nothing came")


@pytest.fixture
def raw(rabbit):
    """A channel of py-amqp's, as Celery has it."""
    connection = native.connect(addresses(rabbit.url)[0], Options.of({}), "raw", soon())
    connection.transport.sock.setblocking(True)
    del connection.drain_events
    yield connection.channel()
    discard(connection)


def task(name, **fields):
    headers = {
        "lang": "py",
        "task": "add",
        "id": "i-1",
        "retries": 0,
        "eta": None,
        "timelimit": [None, None],
        "stamps": {},
    }
    return Outgoing(name, b"[[1, 2], {}, {}]", headers, "i-1", correlation_id="i-1", reply_to="r", **fields)


def test_a_task_message_is_celerys(make, raw, name):
    """Properties and headers of wire.md 1.2, nothing more, priority always; in both directions."""
    broker = make(namespace="celery")
    broker.declare([QueueSpec(name, exchange=Exchange(name), dead_letter=f"{name}.quarantine")], soon())
    assert broker.publish([task(name, routing_key=name, ttl_s=60.0)], soon())[0].ok
    message = raw.basic_get(name, no_ack=True)
    assert message.delivery_info["exchange"] == ""
    assert message.properties == {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "application_headers": dict(task(name).headers),
        "delivery_mode": 2,
        "priority": 0,
        "correlation_id": "i-1",
        "reply_to": "r",
        "expiration": "60000",
    }
    assert list(message.headers) == list(task(name).headers)
    raw.basic_publish(amqp.Message(message.body, **message.properties), routing_key=name)
    found = one(broker.consumer([name], 0)).message
    assert found == task(name, routing_key=name, ttl_s=60.0, priority=0)


def test_declarations_equal_celerys(make, raw, name):
    """Whoever declares first, the other finds it as it wants it; rejected messages are kept all the same."""
    spec = QueueSpec(name, exchange=Exchange(name), dead_letter=f"{name}.quarantine")

    def as_celery():
        raw.exchange_declare(name, "direct", durable=True, auto_delete=False)
        raw.queue_declare(name, durable=True, exclusive=False, auto_delete=False, arguments={})
        raw.queue_bind(name, name, name)

    broker = make(namespace="celery")
    broker.declare([spec], soon())
    as_celery()
    broker.declare([spec], soon())
    broker.publish([task(name)], soon())
    consumer = broker.consumer([name], 0)
    assert consumer.settle([Settle(one(consumer), SettleKind.REJECT, reason="no")], soon())[0].ok
    buried = one(broker.consumer([f"{name}.quarantine"], 0))
    assert (buried.dead_reason, buried.dead_queue) == ("no", name)


def test_reply_and_control_queues_are_as_celerys(make, raw, name):
    """The rpc reply queue of wire.md 5.1, and the control queue of 5.3."""
    broker = make(namespace="celery")
    broker.declare([QueueSpec(name, auto_delete=True, expires_s=86_400)], soon())
    raw.queue_declare(name, durable=True, exclusive=False, auto_delete=True, arguments={"x-expires": 86_400_000})
    fanout = Exchange(f"{name}.pidbox", "fanout", durable=False)
    control = QueueSpec(
        f"{name}.celery.pidbox", temporary=True, durable=False, ttl_s=300, expires_s=10, bindings=(Binding(fanout),)
    )
    broker.declare([control], soon())
    raw.exchange_declare(fanout.name, "fanout", durable=False, auto_delete=False)
    raw.basic_publish(amqp.Message(b"{}", content_type="application/json"), exchange=fanout.name)
    consumer = broker.consumer([control.name], 0)
    assert one(consumer).message.body == b"{}"
    raw.basic_publish(amqp.Message(b"2"), exchange=fanout.name)
    assert one(consumer).message.body == b"2"
    replies = broker.consumer([name], 0)
    assert replies.receive(1, 0.3) == []
    broker.publish([Outgoing(name, b"r", {}, "r", persistent=False)], soon())
    assert one(replies).message.body == b"r"  # it is there although it is removed with its last consumer
    replies.close(True, soon())
    with pytest.raises(amqp.NotFound):
        raw.queue_declare(name, passive=True)


def test_a_topic_queue_gets_what_celerys_clients_delay(make, raw, name):
    """A Celery client publishes to the top of the ladder with the topic key after 28 digits (wire.md 6)."""
    broker = make(namespace="celery", queue_type="quorum", delay_queue_type="quorum")
    exchange = Exchange(f"{name}-x", "topic")
    broker.declare([QueueSpec(name, exchange=exchange, routing_key="a.b")], soon(30))
    started = time.monotonic()
    digits = ".".join(f"{1:028b}")
    raw.basic_publish(
        amqp.Message(b"late", application_headers={"task": "t", "id": "1"}, delivery_mode=2),
        exchange="celery_delayed_27",
        routing_key=f"{digits}.a.b",
    )
    found = one(broker.consumer([name], 0))
    assert time.monotonic() - started >= 0.9
    assert (found.message.body, found.message.routing_key, found.message.headers) == (
        b"late",
        "a.b",
        {"task": "t", "id": "1"},
    )
    assert (found.dead_reason, found.dead_queue, found.attempt) == (None, None, 1)
    for index in (0, 13, 27):  # a Celery worker finds its ladder as it would declare it
        below = "celery_delayed_delivery" if index == 0 else f"celery_delayed_{index - 1}"
        arguments = {
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            "x-message-ttl": 2**index * 1000,
            "x-dead-letter-exchange": below,
            "x-dead-letter-strategy": "at-least-once",
        }
        raw.queue_declare(f"celery_delayed_{index}", durable=True, auto_delete=False, arguments=arguments)
        raw.exchange_declare(f"celery_delayed_{index}", "topic", durable=True, auto_delete=False)


def test_names_that_are_patterns_get_their_own_delayed_messages_only(make):
    broker = make(delay_queue_type="classic")
    names = ["x.b", "b", "x.*", "x.#", "long" * 60]
    stem = f"{time.time_ns()}"
    queues = [f"{stem}.{name}"[:250] for name in names]
    broker.declare([QueueSpec(queue) for queue in queues], soon())
    items = [Outgoing(queue, queue.encode(), {}, str(n), delay_s=0.1) for n, queue in enumerate(queues)]
    assert all(result.ok for result in broker.publish(items, soon(30)))
    for queue in queues:
        consumer = broker.consumer([queue], 0)
        found = one(consumer)
        assert (found.message.queue, found.message.body, found.message.routing_key) == (queue, queue.encode(), "")
        assert consumer.receive(1, 0.2) == []
        consumer.close(True, soon())


def test_delays_keep_attempts_time_to_live_and_routing(make, name):
    broker = make(queue_type="quorum", delay_queue_type="classic")
    dead = f"{name}.dead"
    broker.declare([QueueSpec(name, delivery_limit=3, dead_letter=dead)], soon(30))
    fanout = Exchange(f"{name}-x", "fanout")
    broker.declare([QueueSpec(name, delivery_limit=3, dead_letter=dead, bindings=(Binding(fanout),))], soon(30))
    item = Outgoing("", b"x", {"task": "t"}, "1", exchange=fanout.name, routing_key="k", ttl_s=60)
    assert broker.publish([item], soon())[0].ok
    consumer = broker.consumer([name], 0)
    first = one(consumer)
    assert (first.attempt, first.message.exchange, first.message.routing_key) == (1, fanout.name, "k")
    assert consumer.settle([Settle(first, SettleKind.RELEASE, seconds=0.25)], soon())[0].ok
    second = one(consumer)
    assert (second.attempt, second.redelivered, second.message.exchange, second.message.routing_key) == (
        2,
        True,
        fanout.name,
        "k",
    )
    assert 50 < second.message.ttl_s < 60
    assert consumer.settle([Settle(second, SettleKind.RELEASE)], soon())[0].ok
    third = one(consumer)
    assert third.attempt == 3
    assert consumer.settle([Settle(third, SettleKind.RELEASE, seconds=0.25)], soon())[0].ok
    buried = one(broker.consumer([dead], 0))
    assert (buried.dead_reason, buried.dead_queue, buried.message.id) == ("delivery_limit", name, "1")
    assert consumer.receive(1, 0.5) == []


def test_a_delayed_message_may_expire_meanwhile(make, name):
    broker = make(delay_queue_type="classic")
    dead = f"{name}.dead"
    broker.declare([QueueSpec(name, dead_letter=dead)], soon())
    items = [
        Outgoing(name, b"", {}, "brief", delay_s=0.5, ttl_s=0.2),
        Outgoing(name, b"", {}, "long", delay_s=0.5, ttl_s=60),
    ]
    assert all(result.ok for result in broker.publish(items, soon(30)))
    assert one(broker.consumer([name], 0)).message.id == "long"
    buried = one(broker.consumer([dead], 0))
    assert (buried.message.id, buried.dead_reason, buried.dead_queue) == ("brief", "expired", name)


def test_the_ladder_is_celerys():
    ladder = Ladder("celery", 1.0)
    steps = list(ladder.steps())
    assert (len(steps), steps[0].ttl_ms, steps[27].ttl_ms) == (28, 1000, 2**27 * 1000)
    assert [steps[0].next_exchange, steps[5].next_exchange] == ["celery_delayed_delivery", "celery_delayed_4"]
    assert ladder.digits(5) == "0." * 25 + "1.0.1"
    assert ladder.digits(4.2) == ladder.digits(5), "a delay is rounded up"
    assert ladder.key("q.x", 1) == ladder.digits(1) + ".q.x"
    assert Ladder("kernel", 0.125).digits(0.3)[-5:] == "0.1.1"
    assert ladder.digits(1e12) == ".".join("1" * STEPS)
    assert landing("plain.name") == "plain.name"
    assert len(landing("a.*.b")) == len(landing("x" * 220)) == 64
