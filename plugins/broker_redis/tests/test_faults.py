"""Lost answers, other servers, lost permissions: nothing is lost, and everything says what it is."""

import contextlib
import threading
import time

import pytest

from kernel.contracts import Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.errors import Code, DriverError
from kernel.model.topology import Binding, Exchange, QueueSpec
from kernel_conformance.proxy import ChaosProxy, Trouble
from plugin_broker_redis.broker import RedisBroker

pytestmark = pytest.mark.timed


def soon(seconds=10.0):
    return Deadline.after(seconds)


def message(n=1, queue="q", **fields):
    return Outgoing(queue, b"x", {}, f"m{n}", **fields)


@pytest.fixture
def proxy(site):
    with ChaosProxy(site.server.address) as made:
        yield made


def through(site, proxy):
    host, port = proxy.address
    return f"redis://:{site.server.password}@{host}:{port}/{site.db}"


def test_a_reservation_whose_answer_was_lost_is_ours_at_once(site, monkeypatch):
    """Its lease of 60 s need not end first."""
    broker = site.broker()
    broker.declare([QueueSpec("q")], soon())
    consumer = broker.consumer(["q"], 0)
    assert consumer.receive(1, 0) == []
    broker.publish([message(n) for n in range(5)], soon())
    wire = consumer._reserver.wire
    ask_all = wire.ask_all

    def lose(*args):
        ask_all(*args)
        raise ConnectionResetError("after the server did it")

    monkeypatch.setattr(wire, "ask_all", lose)
    with pytest.raises(DriverError) as caught:
        consumer.receive(5, 1)
    assert caught.value.code is Code.UNAVAILABLE
    assert site.ask("HLEN", "unacked") == "5"
    found = consumer.receive(10, 5)
    assert [one.message.id for one in found] == [f"m{n}" for n in range(5)]
    assert [one.attempt for one in found] == [1] * 5
    assert all(result.ok for result in consumer.settle([Settle(one, SettleKind.ACK) for one in found], soon()))


def test_a_receive_in_a_black_hole_ends(site, proxy):
    broker = site.broker(url=through(site, proxy), socket_timeout=1.0)
    broker.declare([QueueSpec("q")], soon())
    consumer = broker.consumer(["q"], 0)
    consumer.receive(1, 0)
    proxy.trouble = Trouble(black_hole=True)
    began = time.monotonic()
    with pytest.raises(DriverError) as caught:
        consumer.receive(1, 3)
    assert caught.value.code is Code.TIMEOUT
    assert time.monotonic() - began < 10
    proxy.heal()
    proxy.reset()
    site.broker().publish([message()], soon())
    with contextlib.suppress(DriverError):
        consumer.receive(0, 0)
    assert len(consumer.receive(1, 5)) == 1


def test_without_the_right_to_track_it_looks_again_and_again(site):
    site.ask("ACL", "SETUSER", "plain", "on", ">pw", "~*", "&*", "+@all", "-client|tracking")
    host, port = site.server.address
    broker = site.broker(url=f"redis://plain:pw@{host}:{port}/{site.db}")
    broker.declare([QueueSpec("q")], soon())
    consumer = broker.consumer(["q"], 0)
    timer = threading.Timer(0.3, broker.publish, ([message()], soon()))
    timer.start()
    assert len(consumer.receive(1, 10)) == 1
    timer.join()


def test_a_missing_right_is_told(site):
    site.ask("ACL", "SETUSER", "reader", "on", ">pw", "~*", "&*", "+@all", "-evalsha", "-eval")
    host, port = site.server.address
    broker = site.broker(url=f"redis://reader:pw@{host}:{port}/{site.db}")
    with pytest.raises(DriverError) as caught:
        broker.declare([QueueSpec("q", expires_s=60.0)], soon())
    assert caught.value.code is Code.AUTH
    assert not caught.value.retryable


def test_a_full_server_is_exhausted(site):
    broker = site.broker()
    broker.declare([QueueSpec("q")], soon())
    broker.publish([message()], soon())
    site.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(DriverError) as caught:
            broker.publish([message(2)], soon())
    finally:
        site.ask("CONFIG", "SET", "maxmemory", "0")
    assert caught.value.code is Code.EXHAUSTED
    assert caught.value.retryable
    assert broker.depth(["q"], soon())["q"].ready == 1


def test_scripts_are_taught_to_a_server_that_forgot_them(site):
    broker = site.broker()
    broker.declare([QueueSpec("q")], soon())
    consumer = broker.consumer(["q"], 0)
    for n in range(3):
        site.ask("SCRIPT", "FLUSH")
        assert broker.publish([message(n)], soon())[0].ok
        site.ask("SCRIPT", "FLUSH")
        [found] = consumer.receive(1, 5)
        site.ask("SCRIPT", "FLUSH")
        assert consumer.settle([Settle(found, SettleKind.ACK)], soon())[0].ok


def test_a_queue_declared_anew_meanwhile_is_published_to_as_it_is(site):
    """Another process knows a queue by what it was."""
    old, new = site.broker("kernel"), site.broker("kernel")
    old.declare([QueueSpec("q", max_priority=9)], soon())
    assert old.publish([message(priority=9)], soon())[0].ok
    new.delete(["q"], soon())
    [gone] = old.publish([message(priority=9)], soon())
    assert gone.error.code is Code.NOT_FOUND
    new.declare([QueueSpec("q", max_priority=3)], soon())
    [refused, taken] = old.publish([message(priority=9), message(priority=3)], soon())
    assert refused.error.code is Code.INVALID
    assert taken.ok


@pytest.mark.parametrize("name", ["unacked", "unacked_index", "unacked_mutex", "_kombu.binding.x", "_kernel.queues"])
def test_names_of_the_brokers_own_keys_are_refused(site, name):
    broker = site.broker()
    with pytest.raises(DriverError) as caught:
        broker.declare([QueueSpec(name)], soon())
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    "options",
    [
        {"priority_steps": [3, 6]},
        {"priority_steps": [0, 6, 3]},
        {"priority_steps": [0, 12]},
        {"visibility_timeout": 0},
        {"lease_s": -1},
        {"socket_timeout": float("inf")},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(DriverError) as caught:
        RedisBroker("redis://", options, PluginContext())
    assert caught.value.code is Code.INVALID
    assert caught.value.cure


def test_a_full_server_can_be_drained(site):
    broker = site.broker()
    broker.declare([QueueSpec("q", dead_letter="dead")], soon())
    broker.publish([message(n) for n in range(3)], soon())
    consumer = broker.consumer(["q"], 0)
    site.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        one, two, three = consumer.receive(10, 5)
        actions = [Settle(one, SettleKind.ACK), Settle(two, SettleKind.RELEASE), Settle(three, SettleKind.REJECT)]
        assert [result.error for result in consumer.settle(actions, soon())] == [None] * 3
        [again] = consumer.receive(10, 5)
        assert again.message.id == two.message.id
    finally:
        site.ask("CONFIG", "SET", "maxmemory", "0")
    assert site.ask("LLEN", "dead") == "1"


def test_a_key_of_a_wrong_type_loses_nothing(site):
    """A script that stops in the middle undoes nothing: what it took out must stand elsewhere by then."""
    broker = site.broker()
    broker.declare([QueueSpec("q", dead_letter="dead")], soon())
    broker.publish([message(n) for n in range(3)], soon())
    consumer = broker.consumer(["q"], 0)
    site.ask("SET", "unacked_index", "a string")
    with pytest.raises(DriverError) as caught:
        consumer.receive(10, 0.5)
    assert caught.value.code is Code.CONFLICT
    assert site.ask("LLEN", "q") == "3"
    site.ask("DEL", "unacked_index")
    site.ask("DEL", "unacked")
    found = consumer.receive(10, 5)
    assert len(found) == 3
    site.ask("SET", "dead", "a string")
    with pytest.raises(DriverError):
        consumer.settle([Settle(found[0], SettleKind.REJECT, reason="r")], soon())
    assert site.ask("HLEN", "unacked") == "3"
    site.ask("DEL", "dead")
    assert consumer.settle([Settle(found[0], SettleKind.REJECT, reason="r")], soon())[0].ok
    assert site.ask("LLEN", "dead") == "1"


def test_what_was_reserved_before_an_error_is_given_out_after_it(site, monkeypatch):
    broker = site.broker()
    broker.declare([QueueSpec("q")], soon())
    broker.publish([message(n) for n in range(3)], soon())
    consumer = broker.consumer(["q"], 0)
    fit = consumer._reserver._fit

    def fail(wire):
        monkeypatch.setattr(consumer._reserver, "_fit", fit)
        raise ConnectionResetError("after the reservation")

    monkeypatch.setattr(consumer._reserver, "_fit", fail)
    with pytest.raises(DriverError):
        consumer.receive(3, 1)
    assert [one.message.id for one in consumer.receive(2, 5)] == ["m0", "m1"]
    assert [one.message.id for one in consumer.receive(2, 5)] == ["m2"]


def test_what_was_heard_is_not_lost_by_what_fails_after_it(site, monkeypatch):
    """Nobody else has it, and the server has it no more."""
    broker, news = site.broker(), Exchange("news", "fanout")
    broker.declare([QueueSpec("q"), QueueSpec("own", temporary=True, bindings=(Binding(news),))], soon())
    consumer = broker.consumer(["own", "q"], 2)
    assert consumer.receive(1, 0) == []
    broker.publish([Outgoing("", b"hi", {}, "m1", exchange="news"), message(2)], soon())
    take = consumer._reserver.take

    def fail(*args, **options):
        raise ConnectionResetError("on the way")

    consumer._ears[0].listen(soon())
    monkeypatch.setattr(consumer._reserver, "take", fail)
    [heard] = consumer.receive(2, 5)
    assert heard.message.id == "m1"
    with pytest.raises(DriverError):
        consumer.receive(1, 0)
    monkeypatch.setattr(consumer._reserver, "take", take)
    assert [one.message.id for one in consumer.receive(2, 5)] == ["m2"]


def test_a_message_that_the_server_refused_leaves_no_mark_of_a_duplicate(site):
    broker = site.broker()
    broker.declare([QueueSpec("q")], soon())
    site.ask("SET", "q", "no list")
    with contextlib.suppress(DriverError):
        assert not broker.publish([message(dedup_id="once")], soon())[0].ok
    assert site.ask("DEL", "q") == "1"
    assert all(broker.publish([message(dedup_id="once")], soon())[0].ok for _ in range(2))
    assert [one.message.id for one in broker.consumer(["q"], 0).receive(5, 1)] == ["m1"]
