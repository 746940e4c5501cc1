"""Bad input and faults of issue 4, as the driver meets them: each call ends by its deadline and says what is wrong."""

import subprocess
import sys
import time

import amqp
import pytest

from kernel.contracts import Deadline, Outgoing, Settle, SettleKind
from kernel.errors import Applied, Code, DriverError
from kernel.model.topology import QueueSpec
from kernel_conformance.proxy import Trouble
from kernel_conformance.server import free_port
from plugin_broker_amqp import native, publisher
from plugin_broker_amqp.address import addresses
from plugin_broker_amqp.options import Options
from plugin_broker_amqp.stream import discard

pytestmark = pytest.mark.timed

SLACK_S = 2.5
"""A second of the contract, and a busy machine."""


ENDING = """
import sys

from kernel.contracts import Deadline, Outgoing, PluginContext
from plugin_broker_amqp.broker import AmqpBroker

broker = AmqpBroker(sys.argv[1], {"confirm_publish": False}, PluginContext("ending"))
broker.open(Deadline.after(10))
for number in range(2000):
    assert broker.publish([Outgoing(sys.argv[2], b"x", {}, str(number))], Deadline.after(10))[0].ok
print("sent", flush=True)
sys.stdin.readline()
"""


def soon(seconds=10.0):
    return Deadline.after(seconds)


def until(done, seconds=15.0):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def one(consumer, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = consumer.receive(1, 0.5)
        if found:
            return found[0]
    raise AssertionError("nothing came")


@pytest.fixture
def raw(rabbit):
    """A channel of py-amqp's: what another client would do."""
    connection = native.connect(addresses(rabbit.url)[0], Options.of({}), "raw", soon())
    connection.transport.sock.setblocking(True)
    del connection.drain_events
    yield connection.channel()
    discard(connection)


def test_no_server_at_start(make):
    broker = make(f"amqp://a:b@127.0.0.1:{free_port()}//", opened=False)
    started = time.monotonic()
    with pytest.raises(DriverError) as caught:
        broker.open(soon(3))
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.outcome is Applied.NOT_APPLIED
    assert time.monotonic() - started < 3


def test_a_server_that_swallows_everything(make, proxy, rabbit):
    proxy.trouble = Trouble(black_hole=True)
    broker = make(rabbit.url.replace(str(rabbit.address[1]), str(proxy.address[1])), opened=False)
    started = time.monotonic()
    with pytest.raises(DriverError) as caught:
        broker.open(soon(1))
    assert caught.value.code is Code.TIMEOUT
    assert time.monotonic() - started < 1 + SLACK_S


@pytest.mark.parametrize("url", ["amqp://tester:wrong@{place}//", "amqp://tester:opensesame@{place}/nowhere"])
def test_wrong_credentials_and_virtual_hosts(make, rabbit, url):
    broker = make(url.format(place=f"127.0.0.1:{rabbit.address[1]}"), opened=False)
    with pytest.raises(DriverError) as caught:
        broker.open(soon())
    assert (caught.value.code, caught.value.retryable) == (Code.AUTH, False)
    assert "wrong" not in f"{caught.value} {caught.value.__cause__} {broker!r}"


def test_several_urls(make, rabbit):
    dead = f"amqp://tester:opensesame@127.0.0.1:{free_port()}//"
    broker = make(f"{dead};{rabbit.url}")
    broker.ping(soon())


def test_a_queue_that_is_declared_otherwise(make, raw, name):
    raw.queue_declare(name, durable=True, auto_delete=False, arguments={"x-max-priority": 3})
    broker = make()
    with pytest.raises(DriverError, match="x-max-priority") as caught:
        broker.declare([QueueSpec(name)], soon())
    assert caught.value.code is Code.CONFLICT
    assert raw.queue_declare(name, passive=True).queue == name
    broker.declare([QueueSpec(name, max_priority=3)], soon())


def test_bodies_the_server_does_not_take(make, name):
    broker = make(max_body=200_000)
    broker.declare([QueueSpec(name)], soon())
    small, large = (Outgoing(name, bytes(size), {}, str(size)) for size in (5, 150_000))
    [refused] = broker.publish([large], soon())
    assert refused.error.code is Code.TOO_LARGE, refused
    assert broker.publish([small], soon())[0].ok
    [refused] = broker.publish([Outgoing(name, bytes(200_001), {}, "x")], soon())
    assert refused.error.code is Code.TOO_LARGE
    assert "200000" in str(refused.error)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"headers": {"x": "y" * 130_000}}, Code.TOO_LARGE),
        ({"headers": {"n" * 256: 1}}, Code.INVALID),
        ({"reply_to": "amq.rabbitmq.reply-to.x"}, Code.INVALID),
        ({"correlation_id": "c" * 256}, Code.INVALID),
        ({"properties": {"timestamp": "now"}}, Code.INVALID),
        ({"queue": "", "exchange": "nobody-declared-this"}, Code.NOT_FOUND),
        ({"queue": "amq.mine"}, Code.INVALID),
        ({"queue": "ü" * 128}, Code.INVALID),
    ],
)
def test_a_message_that_cannot_be_sent_fails_alone(make, name, fields, code):
    broker = make()
    broker.declare([QueueSpec(name)], soon())
    bad = Outgoing(**{"queue": name, "body": b"", "headers": {}, "id": "bad", **fields})
    good = Outgoing(name, b"", {}, "good")
    results = broker.publish([good, bad, good], soon())
    assert [result.ok for result in results] == [True, False, True]
    assert results[1].error.code is code, results[1].error


def test_messages_of_other_clients(make, raw, name):
    broker = make()
    dead = f"{name}.dead"
    broker.declare([QueueSpec(name, dead_letter=dead)], soon())
    odd = [
        amqp.Message(b"no properties at all"),
        amqp.Message(b"\xff", content_type="text/plain", application_headers={"task": 5, "id": [1]}),
        amqp.Message(b"", priority=200, expiration="never", application_headers={"x-kernel": "text", "x-death": 1}),
        amqp.Message(b"x", application_headers={"deep": {"a": {"b": [{"c": 1.5}]}}}, message_id="given"),
    ]
    for message in odd[:2] + odd[3:]:
        raw.basic_publish(message, routing_key=name)
    consumer = broker.consumer([name], 0)
    found = [one(consumer) for _ in range(3)]
    bare = found[0].message
    assert (bare.body, bare.headers, bare.content_type, bare.id) == (b"no properties at all", {}, "", "")
    assert found[1].message.headers == {"task": 5, "id": [1]}
    assert found[2].message.id == "given"
    results = consumer.settle([Settle(each, SettleKind.REJECT, reason="no task") for each in found], soon())
    assert all(result.ok for result in results), results
    graves = broker.consumer([dead], 0)
    buried = [one(graves) for _ in range(3)]
    assert {each.dead_reason for each in buried} == {"no task"}
    assert [each.message.body for each in buried] == [b"no properties at all", b"\xff", b"x"]


def test_a_delivery_that_is_held_too_long(make, name):
    """The server ends the channel after its ``consumer_timeout``; the message comes again, the receipt is worthless."""
    broker = make()
    broker.declare([QueueSpec(name)], soon())
    broker.publish([Outgoing(name, b"x", {}, "1")], soon())
    consumer = broker.consumer([name], 0)
    held = one(consumer)
    again = one(consumer, 30)
    assert again.message.id == held.message.id
    assert again.epoch > held.epoch
    late, fresh = consumer.settle([Settle(held, SettleKind.ACK), Settle(again, SettleKind.ACK)], soon())
    assert late.error.code is Code.LEASE_LOST
    assert fresh.ok


def test_without_confirmation(make, name, caplog):
    broker = make(confirm_publish=False)
    assert not broker.capabilities().confirm
    broker.declare([QueueSpec(name)], soon())
    results = broker.publish([Outgoing(f"{name}-nowhere", b"", {}, "lost"), Outgoing(name, b"", {}, "1")], soon())
    assert all(result.ok for result in results)
    assert one(broker.consumer([name], 0)).message.id == "1"
    until(lambda: "reached no queue" in caplog.text or broker.publish([], soon()))


@pytest.fixture
def ending(make, proxy, rabbit, name):
    """A process that has sent 2,000 messages without confirmation, and ends at the next line that it reads."""
    make().declare([QueueSpec(name)], soon())
    url = rabbit.url.replace(str(rabbit.address[1]), str(proxy.address[1]))
    words = [sys.executable, "-c", ENDING, url, name]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sent\n"
        yield process
        process.kill()


def test_what_was_sent_without_confirmation_is_there_when_the_process_has_ended(make, ending, name):
    ending.communicate("\n", timeout=60)
    broker = make()
    # A queue tells how long it is before it has taken what was routed to it.
    until(lambda: broker.depth([name], soon())[name].ready == 2000)


def test_a_process_that_ends_asks_whether_all_was_read_and_waits_for_no_answer_for_ever(ending, proxy):
    """A server that sees a connection break forgets what it has read from it and not routed yet."""
    proxy.trouble = Trouble(black_hole=True)
    began = time.monotonic()
    ending.communicate("\n", timeout=60)
    assert time.monotonic() - began > publisher.EXIT_S - 1


def test_a_silent_connection_is_given_up(make, proxy, rabbit, name):
    """Without a heartbeat for twice its interval, and without anybody using it."""
    url = rabbit.url.replace(str(rabbit.address[1]), str(proxy.address[1]))
    broker = make(url, heartbeat=1)
    broker.declare([QueueSpec(name)], soon())
    consumer = broker.consumer([name], 0)
    assert consumer.receive(1, 0) == []
    wire = consumer.wire
    time.sleep(2.5)  # longer than the server and we would wait for each other without heartbeats
    assert wire.failure is None
    proxy.trouble = Trouble(black_hole=True)
    until(lambda: wire.failure is not None, 10)
    proxy.heal()
    proxy.reset()
    broker.publish([Outgoing(name, b"", {}, "1")], soon())
    assert one(consumer).message.id == "1"


def test_a_server_without_memory(make, rabbit, name):
    """It blocks whoever publishes: that ends by the deadline, and consuming goes on."""
    broker = make()
    broker.declare([QueueSpec(name)], soon())
    broker.publish([Outgoing(name, b"", {}, "before")], soon())
    consumer = broker.consumer([name], 0)
    rabbit.raise_alarm()
    try:
        broker.publish([Outgoing(name, b"", {}, "last")], soon(1))  # the server blocks after the first it sees
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(DriverError, match="alarm") as caught:
                broker.publish([Outgoing(name, b"", {}, "refused")], soon(1))
            assert time.monotonic() - started < 1 + SLACK_S
            assert (caught.value.code, caught.value.outcome) == (Code.EXHAUSTED, Applied.NOT_APPLIED)
            assert caught.value.retryable
        other = make()
        results = other.publish([Outgoing(name, bytes(50_000), {}, f"m{n}") for n in range(200)], soon(2))
        errors = [result.error for result in results if result.error is not None]
        assert errors
        assert {error.code for error in errors} <= {Code.EXHAUSTED, Code.TIMEOUT}
        assert {error.outcome for error in errors} <= {Applied.UNKNOWN, Applied.NOT_APPLIED}
        assert consumer.settle([Settle(one(consumer), SettleKind.ACK)], soon())[0].ok
        broker.ping(soon())
        broker.declare([QueueSpec(f"{name}-2")], soon())
    finally:
        rabbit.clear_alarm()
    assert broker.publish([Outgoing(name, b"", {}, "after")], soon())[0].ok
