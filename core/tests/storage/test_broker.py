"""What every broker of the kernel does, on both built-in ones."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_helpers import ack, collect, declare, message, numbers, publish, settle, soon, until

from kernel.contracts import Deadline, Outgoing, Settle, SettleKind
from kernel.errors import Code, DriverError
from kernel.model.topology import Binding, Exchange, QueueSpec


def code(call, *args, **kwargs):
    with pytest.raises(DriverError) as caught:
        call(*args, **kwargs)
    assert "\n" not in caught.value.one_line()
    return caught.value.code


def test_what_is_published_is_received_once(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, *[message(number=n) for n in range(5)])
    consumer = broker.consumer(["q"], 0)
    found = consumer.receive(10, 1)
    assert numbers(found) == [0, 1, 2, 3, 4]
    assert [(d.attempt, d.redelivered) for d in found] == [(1, False)] * 5
    assert found[0].message.body == b"body 0"
    ack(consumer, *found)
    assert consumer.receive(10, 0) == []
    assert broker.depth(["q"], soon())["q"].in_flight == 0


def test_never_more_than_asked_for(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, *[message(number=n) for n in range(5)])
    consumer = broker.consumer(["q"], 0)
    assert numbers(consumer.receive(2, 0)) == [0, 1]
    assert numbers(consumer.receive(2, 0)) == [2, 3]


def test_prefetch_bounds_what_is_unsettled(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, *[message(number=n) for n in range(5)])
    consumer = broker.consumer(["q"], 3)
    held = consumer.receive(10, 0)
    assert len(held) == 3
    assert consumer.receive(10, 0.05) == []
    ack(consumer, held[1])
    assert numbers(consumer.receive(10, 0)) == [3]


def test_a_settlement_ends_the_wait_of_a_full_consumer(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message(number=0), message(number=1))
    consumer = broker.consumer(["q"], 1)
    [held] = consumer.receive(10, 0)
    timer = threading.Timer(0.05, ack, (consumer, held))
    timer.start()
    assert numbers(consumer.receive(10, 5)) == [1]
    timer.join()


def test_an_undeclared_queue_is_an_error_and_not_created(make_broker):
    broker = make_broker()
    declare(broker, "q")
    wrong, right = broker.publish([message("nowhere"), message("q")], soon())
    assert wrong.error.code is Code.NOT_FOUND
    assert right.ok
    [alone] = broker.publish([message("nowhere")], soon())
    assert alone.error.code is Code.NOT_FOUND
    assert code(broker.depth, ["nowhere"], soon()) is Code.NOT_FOUND
    assert code(lambda: broker.consumer(["nowhere"], 1).receive(1, 0)) is Code.NOT_FOUND


def test_a_deleted_queue_is_gone_with_its_messages(make_broker):
    broker = make_broker()
    declare(broker, "q", "other")
    publish(broker, message("q"), message("q", 1, delay_s=50), message("other"))
    broker.delete(["q", "never there"], soon())
    [gone] = broker.publish([message("q")], soon())
    assert gone.error.code is Code.NOT_FOUND
    declare(broker, "q")
    assert broker.depth(["q", "other"], soon())["q"].ready == 0
    assert broker.depth(["q"], soon())["q"].delayed == 0
    assert broker.depth(["other"], soon())["other"].ready == 1


def test_a_new_queue_in_the_place_of_a_deleted_one_gets_none_of_its_traffic(make_broker):
    one, two = make_broker(), make_broker()
    declare(one, "old")
    publish(two, message("old"))
    consumer = two.consumer(["old"], 0)
    consumer.receive(1, 0)
    one.delete(["old"], soon())
    declare(one, "new")
    [result] = two.publish([message("old")], soon())
    assert result.error.code is Code.NOT_FOUND
    assert one.depth(["new"], soon())["new"].ready == 0
    publish(one, message("new"))
    assert code(consumer.receive, 1, 0) is Code.NOT_FOUND


def test_declaring_again_changes_nothing(make_broker):
    broker = make_broker()
    spec = QueueSpec("q", max_priority=5, dead_letter="dead")
    declare(broker, spec)
    publish(broker, message())
    declare(broker, spec)
    declare(make_broker(), spec)
    assert broker.depth(["q"], soon())["q"].ready == 1


def test_a_contradicting_declaration_is_refused(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("q", max_priority=5))
    publish(broker, message())
    assert code(declare, broker, QueueSpec("q", max_priority=6)) is Code.CONFLICT
    assert broker.depth(["q"], soon())["q"].ready == 1
    declare(broker, QueueSpec("a", bindings=(Binding(Exchange("x", "fanout")),)))
    assert code(declare, broker, QueueSpec("b", bindings=(Binding(Exchange("x", "topic"), "#"),))) is Code.CONFLICT


def test_a_dead_letter_exists_with_the_queue_and_can_be_declared_later(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("q", dead_letter="dead"))
    assert broker.depth(["dead"], soon())["dead"].ready == 0
    declare(broker, QueueSpec("dead", ttl_s=60))
    assert code(declare, broker, QueueSpec("dead", ttl_s=61)) is Code.CONFLICT


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\x00b", "\ud800"])
def test_impossible_queue_names_are_refused(make_broker, name):
    assert code(declare, make_broker(), name) is Code.INVALID


@pytest.mark.parametrize(
    "spec",
    [
        QueueSpec("q", max_priority=256),
        QueueSpec("q", max_priority=-1),
        QueueSpec("q", ttl_s=0),
        QueueSpec("q", lease_s=-1),
        QueueSpec("q", expires_s=float("inf")),
        QueueSpec("q", delivery_limit=0),
        QueueSpec("q", dead_letter="q"),
    ],
)
def test_impossible_queue_properties_are_refused(make_broker, spec):
    assert code(declare, make_broker(), spec) is Code.INVALID


def test_a_headers_exchange_is_not_supported(make_broker):
    spec = QueueSpec("q", exchange=Exchange("x", "headers"))
    assert code(declare, make_broker(), spec) is Code.UNSUPPORTED


@pytest.mark.parametrize("name", ["a.b-c_d", "größe", "日本", "a b", "x" * 255, "A", "a", "a%", "a*"])
def test_odd_queue_names_do_not_alias(make_broker, name):
    broker = make_broker()
    declare(broker, name, "aa", "B")
    publish(broker, message(name))
    assert broker.depth([name, "aa", "B"], soon())[name].ready == 1
    [found] = broker.consumer([name], 0).receive(5, 0)
    assert found.message.queue == name


def test_every_field_survives_delivery_and_redelivery(make_broker):
    broker = make_broker()
    declare(broker, "q")
    sent = Outgoing(
        "q",
        bytes(range(256)),
        {
            "a": 1,
            "b": None,
            "c": [1, "x"],
            "d": {"e": True},
            "f": b"\x00\xff",
            "ü": 1.5,
            "g": [None, None],
            "": -(2**63),
        },
        "the id",
        content_type="application/x-yaml",
        content_encoding="binary",
        priority=7,
        delay_s=0.0,
        ttl_s=1000.0,
        dedup_id="once",
        routing_key="q",
        correlation_id="c",
        reply_to="r",
        persistent=False,
        properties={"MessageGroupId": "g", "raw": b"\x01"},
    )
    publish(broker, sent)
    consumer = broker.consumer(["q"], 0)
    [first] = consumer.receive(5, 0)
    assert first.message == sent
    assert type(first.message.headers["d"]["e"]) is bool
    settle(consumer, SettleKind.RELEASE, first)
    [second] = consumer.receive(5, 0)
    assert second.message == sent
    assert (second.attempt, second.redelivered) == (2, True)


def test_an_unset_field_stays_unset(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    [found] = broker.consumer(["q"], 0).receive(1, 0)
    assert [getattr(found.message, f.name) for f in fields(Outgoing)] == [
        getattr(message(), f.name) for f in fields(Outgoing)
    ]


HEADER = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.dictionaries(st.text(), HEADER, max_size=5),
    body=st.binary(max_size=200),
    key=st.text(),
    priority=st.none() | st.integers(0, 255),
)
def test_any_envelope_makes_the_round_trip(make_broker, headers, body, key, priority):
    broker = make_broker()
    declare(broker, "q")
    sent = Outgoing("q", body, headers, "id" + key, routing_key=key, correlation_id=key, priority=priority)
    publish(broker, sent)
    consumer = broker.consumer(["q"], 0)
    [found] = consumer.receive(5, 0)
    assert found.message == sent
    ack(consumer, found)
    consumer.close(release=True, deadline=soon())


def test_headers_are_copied_on_both_sides(make_broker):
    broker = make_broker()
    declare(broker, "q")
    headers = {"list": [1]}
    publish(broker, Outgoing("q", b"", headers, "i"))
    headers["list"].append(2)
    consumer = broker.consumer(["q"], 0)
    [found] = consumer.receive(1, 0)
    assert found.message.headers == {"list": [1]}
    found.message.headers["list"].append(3)
    settle(consumer, SettleKind.RELEASE, found)
    [again] = consumer.receive(1, 0)
    assert again.message.headers == {"list": [1]}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (message(priority=256), Code.INVALID),
        (message(priority=-1), Code.INVALID),
        (message(priority=True), Code.INVALID),
        (message(delay_s=-1), Code.INVALID),
        (message(delay_s=float("nan")), Code.INVALID),
        (message(ttl_s=-0.1), Code.INVALID),
        (message(ttl_s=float("nan")), Code.INVALID),
        (Outgoing("q", "text", {}, "i"), Code.INVALID),
        (Outgoing("q", b"", {"a": {1, 2}}, "i"), Code.INVALID),
        (Outgoing("q", b"", {1: 2}, "i"), Code.INVALID),
        (Outgoing("q", b"", {"a": {1: 2}}, "i"), Code.INVALID),
        (Outgoing("", b"", {}, "i"), Code.NOT_FOUND),
    ],
)
def test_a_bad_message_fails_alone(make_broker, item, expected):
    broker = make_broker()
    declare(broker, "q")
    first, bad, last = broker.publish([message(number=1), item, message(number=2)], soon())
    assert (first.ok, last.ok) == (True, True)
    assert bad.error.code is expected
    [alone] = broker.publish([item], soon())
    assert alone.error.code is expected
    assert numbers(broker.consumer(["q"], 0).receive(9, 0)) == [1, 2]


def test_a_body_at_the_limit_and_beyond(make_broker):
    broker = make_broker()
    declare(broker, "q")
    limit = broker.capabilities().limits.max_body
    at, beyond = broker.publish(
        [replace(message(), body=bytes(limit)), replace(message(), body=bytes(limit + 1))], soon(60)
    )
    assert at.ok
    assert beyond.error.code is Code.TOO_LARGE
    assert str(limit) in str(beyond.error)
    [found] = broker.consumer(["q"], 0).receive(1, 5)
    assert len(found.message.body) == limit


def test_a_long_batch_keeps_results_in_order(make_broker):
    broker = make_broker()
    declare(broker, "q")
    items = [message("q" if n % 7 else "nowhere", n) for n in range(1200)]
    results = broker.publish(items, soon(30))
    assert [result.ok for result in results] == [n % 7 != 0 for n in range(1200)]
    found = collect(broker.consumer(["q"], 0), sum(result.ok for result in results))
    assert numbers(found) == [n for n in range(1200) if n % 7]


def test_receive_waits_as_long_as_told(make_broker):
    broker = make_broker()
    declare(broker, "q")
    consumer = broker.consumer(["q"], 0)
    for wait_s in (0, 0.2):
        began = time.monotonic()
        assert consumer.receive(1, wait_s) == []
        took = time.monotonic() - began
        assert wait_s <= took < wait_s + 2


def test_an_idle_receive_leaves_the_cpu_alone(make_broker):
    broker = make_broker()
    declare(broker, "q")
    consumer = broker.consumer(["q"], 0)
    began = time.process_time()
    assert consumer.receive(1, 1.0) == []
    assert time.process_time() - began < 0.15


def test_a_publication_wakes_a_blocked_receive(make_broker):
    broker, other = make_broker(), make_broker()
    declare(broker, "q")
    consumer = broker.consumer(["q"], 0)
    for publisher in (broker, other):
        timer = threading.Timer(0.1, publish, (publisher, message()))
        timer.start()
        began = time.monotonic()
        assert len(consumer.receive(1, 10)) == 1
        assert time.monotonic() - began < 5
        timer.join()


def test_wake_ends_the_wait_also_beforehand(make_broker):
    broker = make_broker()
    declare(broker, "q")
    consumer = broker.consumer(["q"], 0)
    timer = threading.Timer(0.05, consumer.wake)
    timer.start()
    began = time.monotonic()
    assert consumer.receive(1, 10) == []
    timer.join()
    consumer.wake()
    assert consumer.receive(1, 10) == []
    assert time.monotonic() - began < 5


def test_several_queues_are_served_in_turn(make_broker):
    broker = make_broker()
    declare(broker, "a", "b")
    publish(broker, *[message("a", n) for n in range(50)], *[message("b", n) for n in range(50)])
    consumer = broker.consumer(["a", "b"], 0)
    seen = {found.message.queue for _ in range(4) for found in consumer.receive(5, 0)}
    assert seen == {"a", "b"}


def test_release_gives_it_back_in_its_place(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, *[message(number=n) for n in range(3)])
    consumer = broker.consumer(["q"], 0)
    first, second = consumer.receive(2, 0)
    settle(consumer, SettleKind.RELEASE, second, first)
    again = consumer.receive(9, 0)
    assert numbers(again) == [0, 1, 2]
    assert [d.attempt for d in again] == [2, 2, 1]


def test_release_with_a_delay(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, "q")
    publish(broker, message(number=0), message(number=1))
    consumer = broker.consumer(["q"], 0)
    [first] = consumer.receive(1, 0)
    settle(consumer, SettleKind.RELEASE, first, seconds=10)
    assert broker.depth(["q"], soon())["q"].delayed == 1
    assert numbers(consumer.receive(9, 0)) == [1]
    clock.move(9.9)
    assert consumer.receive(9, 0) == []
    clock.move(0.2)
    [again] = consumer.receive(9, 0)
    assert (again.attempt, again.redelivered) == (2, True)


def test_a_delivery_that_never_started_does_not_count(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    for _ in range(3):
        [found] = consumer.receive(1, 0)
        assert found.attempt == 1
        settle(consumer, SettleKind.RELEASE, found, started=False)
    [found] = consumer.receive(1, 0)
    assert (found.attempt, found.redelivered) == (1, True)


def test_a_lease_ends_and_the_old_receipt_is_fenced(make_broker, clock):
    broker = make_broker(clock, lease_s=10)
    declare(broker, "q", QueueSpec("short", lease_s=2))
    publish(broker, message("q"), message("short"))
    one, two = broker.consumer(["q", "short"], 0), broker.consumer(["q", "short"], 0)
    held = {d.message.queue: d for d in one.receive(9, 0)}
    assert held["q"].lease_until == pytest.approx(clock.now + 10)
    assert two.receive(9, 0) == []
    clock.move(2.5)
    [short] = two.receive(9, 0)
    assert (short.message.queue, short.attempt, short.redelivered) == ("short", 2, True)
    for kind in SettleKind:
        [late] = settle(one, kind, held["short"], seconds=5)
        assert late.error.code is Code.LEASE_LOST
    ack(two, short)
    ack(one, held["q"])


def test_extend_keeps_it_hidden(make_broker, clock):
    broker = make_broker(clock, lease_s=10)
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(1, 0)
    clock.move(9)
    [kept] = settle(consumer, SettleKind.EXTEND, held, seconds=20)
    assert kept.lease_until == pytest.approx(clock.now + 20)
    clock.move(19)
    assert consumer.receive(1, 0) == []
    ack(consumer, held)
    clock.move(100)
    assert consumer.receive(1, 0) == []


def test_an_expired_lease_frees_its_prefetch_slot(make_broker, clock):
    broker = make_broker(clock, lease_s=10)
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 1)
    consumer.receive(1, 0)
    clock.move(11)
    [again] = consumer.receive(5, 0)
    assert again.attempt == 2


def test_a_blocked_receive_notices_the_end_of_a_lease_and_of_a_delay(make_broker):
    broker = make_broker(lease_s=1.5)
    declare(broker, "q")
    publish(broker, message(number=0))
    consumer = broker.consumer(["q"], 0)
    [first] = consumer.receive(1, 0)
    [again] = consumer.receive(1, 10)
    assert again.attempt == 2
    ack(consumer, again)
    assert settle(consumer, SettleKind.ACK, first)[0].error.code is Code.LEASE_LOST
    publish(broker, message(number=1, delay_s=0.2))
    began = time.time()
    [late] = consumer.receive(1, 10)
    assert 0.2 <= time.time() - began < 5
    ack(consumer, late)


def test_settling_twice_touches_nothing_else(make_broker):
    broker = make_broker()
    declare(broker, "q")
    consumer = broker.consumer(["q"], 0)
    publish(broker, message(number=0))
    [first] = consumer.receive(1, 0)
    ack(consumer, first)
    publish(broker, message(number=1))
    [second] = consumer.receive(1, 0)
    for kind in SettleKind:
        [result] = settle(consumer, kind, first)
        assert result.error.code is Code.LEASE_LOST
    twice = settle(consumer, SettleKind.ACK, second, second)
    assert [result.ok for result in twice] == [True, False]


@pytest.mark.parametrize("receipt", [None, b"x", "x", 5, (), (1,), (1, 2), ("a", "b"), (10**30, 1), (-1, -1), [1, 2]])
def test_a_garbage_receipt_fails_alone(make_broker, receipt):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(1, 0)
    garbage = replace(held, receipt=receipt)
    bad, good = settle(consumer, SettleKind.ACK, garbage, held)
    assert bad.error.code in {Code.INVALID, Code.LEASE_LOST}
    assert good.ok
    [alone] = settle(consumer, SettleKind.ACK, garbage)
    assert alone.error.code in {Code.INVALID, Code.LEASE_LOST}


def test_a_settlement_with_an_impossible_time(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(1, 0)
    for seconds in (-1, float("nan"), float("inf")):
        assert settle(consumer, SettleKind.EXTEND, held, seconds=seconds)[0].error.code is Code.INVALID
    ack(consumer, held)


def test_reject_moves_to_the_dead_letter_with_reason_and_origin(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, QueueSpec("q", dead_letter="dead"))
    publish(broker, message(number=1, priority=3, correlation_id="c"), message(number=2))
    consumer = broker.consumer(["q"], 0)
    first, second = consumer.receive(9, 0)
    settle(consumer, SettleKind.REJECT, first, reason="nobody knows this täsk")
    settle(consumer, SettleKind.RELEASE, second)
    assert broker.depth(["q", "dead"], soon())["dead"].ready == 1
    [found] = broker.consumer(["dead"], 0).receive(9, 0)
    assert (found.dead_reason, found.dead_queue) == ("nobody knows this täsk", "q")
    assert found.message == replace(first.message, queue="dead")
    assert found.attempt == 1


def test_reject_without_a_dead_letter_drops(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(1, 0)
    assert settle(consumer, SettleKind.REJECT, held, reason="x")[0].ok
    depth = broker.depth(["q"], soon())["q"]
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 0, 0)


def test_a_reason_that_is_no_valid_unicode_is_still_kept(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("q", dead_letter="dead"))
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(1, 0)
    assert settle(consumer, SettleKind.REJECT, held, reason="bad \ud800")[0].ok
    [dead] = broker.peek("dead", 1, soon())
    assert dead.dead_reason.startswith("bad ")


def test_the_delivery_limit_buries_a_poison_message_once(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("q", dead_letter="dead", delivery_limit=3))
    publish(broker, message(number=1), message(number=2))
    consumer = broker.consumer(["q"], 0)
    for attempt in (1, 2, 3):
        [found] = consumer.receive(1, 0)
        assert (numbers([found]), found.attempt) == ([1], attempt)
        settle(consumer, SettleKind.RELEASE, found)
    assert numbers(consumer.receive(1, 0)) == [2]
    [dead] = broker.peek("dead", 9, soon())
    assert (numbers([dead]), dead.dead_reason) == ([1], "delivery_limit")


def test_delay_is_never_early(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, "q")
    publish(broker, message(number=0, delay_s=10), message(number=1, delay_s=5), message(number=2))
    consumer = broker.consumer(["q"], 0)
    assert numbers(consumer.receive(9, 0)) == [2]
    clock.move(4.99)
    assert consumer.receive(9, 0) == []
    clock.move(0.02)
    assert numbers(consumer.receive(9, 0)) == [1]
    clock.move(4.97)
    assert consumer.receive(9, 0) == []
    clock.move(0.03)
    assert numbers(consumer.receive(9, 0)) == [0]


def test_a_due_message_takes_its_place_at_the_end(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, "q")
    publish(broker, message(number=0, delay_s=2), message(number=1, delay_s=1), message(number=2))
    clock.move(3)
    publish(broker, message(number=3))
    assert sorted(numbers(broker.consumer(["q"], 0).receive(9, 0))) == [0, 1, 2, 3]
    publish(broker, message(number=4, delay_s=2), message(number=5, delay_s=1), message(number=6))
    clock.move(3)
    assert numbers(broker.consumer(["q"], 0).receive(9, 0)) == [6, 5, 4]


def test_delays_beyond_the_limit_are_refused(make_broker):
    broker = make_broker()
    declare(broker, "q")
    limit = broker.capabilities().limits.max_delay_s
    [at] = broker.publish([message(delay_s=limit or 1e9)], soon())
    assert at.ok
    if limit is not None:
        [beyond] = broker.publish([message(delay_s=limit + 1)], soon())
        assert beyond.error.code is Code.INVALID


def test_priority_drains_high_first_and_keeps_order_within(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, "q", QueueSpec("ten", max_priority=10))
    order = [(0, None), (1, 5), (2, 9), (3, 5), (4, 0), (5, 255)]
    publish(broker, *[message(number=n, priority=p) for n, p in order])
    assert numbers(broker.consumer(["q"], 0).receive(9, 0)) == [5, 2, 1, 3, 0, 4]
    publish(broker, message("ten", priority=10))
    [beyond] = broker.publish([message("ten", priority=11)], soon())
    assert beyond.error.code is Code.INVALID


def test_priority_is_kept_over_a_delay(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, "q")
    publish(broker, message(number=0, priority=9, delay_s=1), message(number=1, priority=1))
    clock.move(2)
    assert numbers(broker.consumer(["q"], 0).receive(1, 0)) == [0]


def test_ttl_of_message_and_queue(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, QueueSpec("q", dead_letter="dead"), QueueSpec("brief", ttl_s=3))
    publish(broker, message(number=0, ttl_s=5), message(number=1), message("brief", 2), message("brief", 3, ttl_s=1))
    consumer = broker.consumer(["q", "brief"], 0)
    clock.move(1.5)
    assert broker.depth(["brief"], soon())["brief"].ready == 1
    clock.move(5)
    assert broker.depth(["q", "brief", "dead"], soon())["dead"].ready == 1
    assert numbers(consumer.receive(9, 0)) == [1]
    [dead] = broker.peek("dead", 9, soon())
    assert (numbers([dead]), dead.dead_reason, dead.dead_queue) == ([0], "expired", "q")


def test_ttl_ends_while_the_message_is_away(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, "q")
    publish(broker, message(number=0, ttl_s=5), message(number=1, ttl_s=5, delay_s=20), message(number=2, ttl_s=0))
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(9, 0)
    clock.move(6)
    settle(consumer, SettleKind.RELEASE, held)
    assert consumer.receive(9, 0) == []
    depth = broker.depth(["q"], soon())["q"]
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 0, 0)


def test_an_acknowledgement_after_the_ttl_still_counts(make_broker, clock):
    broker = make_broker(clock)
    declare(broker, QueueSpec("q", dead_letter="dead"))
    publish(broker, message(ttl_s=5))
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(9, 0)
    clock.move(6)
    broker.depth(["q"], soon())
    ack(consumer, held)
    assert broker.depth(["dead"], soon())["dead"].ready == 0


def test_equal_dedup_ids_are_stored_once_within_the_window(make_broker, clock):
    broker = make_broker(clock, dedup_window_s=60)
    declare(broker, "q", "other")
    publish(broker, message(number=0, dedup_id="x"), message(number=1, dedup_id="x"), message(number=2, dedup_id="y"))
    publish(broker, message(number=3, dedup_id="x"), message("other", 4, dedup_id="x"))
    consumer = broker.consumer(["q"], 0)
    found = consumer.receive(9, 0)
    assert numbers(found) == [0, 2]
    ack(consumer, *found)
    clock.move(61)
    publish(broker, message(number=5, dedup_id="x"))
    assert numbers(consumer.receive(9, 0)) == [5]


def test_every_subscriber_of_a_fanout_gets_a_copy(make_broker):
    one, two = make_broker(), make_broker()
    exchange = Exchange("news", "fanout")
    publish(one, Outgoing("", b"nobody listens", {"n": 0}, "i", exchange="news"))
    declare(one, QueueSpec("a", temporary=True, bindings=(Binding(exchange),)))
    declare(two, QueueSpec("b", temporary=True, bindings=(Binding(exchange),)))
    publish(one, Outgoing("", b"x", {"n": 1}, "i", exchange="news", routing_key="whatever"))
    for broker, queue in ((one, "a"), (two, "b")):
        [found] = broker.consumer([queue], 0).receive(9, 0)
        assert (found.message.queue, found.message.exchange, found.message.routing_key) == (queue, "news", "whatever")


def test_direct_and_topic_exchanges(make_broker):
    broker = make_broker()
    direct, topic = Exchange("d", "direct"), Exchange("t", "topic")
    declare(
        broker,
        QueueSpec("a", exchange=direct, routing_key="k", bindings=(Binding(topic, "task.#"), Binding(topic, "*.sent"))),
        QueueSpec("b", exchange=direct, bindings=(Binding(topic, "#"),)),
    )
    for number, exchange, key in [(1, "d", "k"), (2, "d", "b"), (3, "d", "none"), (4, "t", "task.sent"), (5, "t", "x")]:
        publish(broker, Outgoing("", b"", {"n": number}, "i", exchange=exchange, routing_key=key))
    assert numbers(broker.consumer(["a"], 0).receive(9, 0)) == [1, 4]
    assert numbers(broker.consumer(["b"], 0).receive(9, 0)) == [2, 4, 5]


def test_a_temporary_queue_goes_with_its_connection(make_broker):
    one, two = make_broker(), make_broker()
    declare(one, QueueSpec("mine", temporary=True), "q")
    assert code(declare, two, QueueSpec("mine", temporary=True)) is Code.CONFLICT
    publish(two, message("mine"))
    one.close(soon())
    [gone] = two.publish([message("mine")], soon())
    assert gone.error.code is Code.NOT_FOUND
    declare(two, QueueSpec("mine", temporary=True))
    publish(two, message("q"))


@pytest.mark.parametrize("kind", ["memory"])  # SQLite knows the consumers of its process only
def test_an_auto_delete_queue_goes_with_its_last_consumer(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("brief", auto_delete=True), "q")
    publish(broker, message("brief"))
    first, second = broker.consumer(["brief", "q"], 0), broker.consumer(["brief"], 0)
    first.close(True, soon())
    publish(broker, message("brief"))
    second.close(True, soon())
    assert broker.publish([message("brief")], soon())[0].error.code is Code.NOT_FOUND
    publish(broker, message("q"))


def test_auto_delete_is_part_of_what_a_queue_is(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("brief", auto_delete=True))
    declare(broker, QueueSpec("brief", auto_delete=True))
    assert code(declare, broker, "brief") is Code.CONFLICT


def test_an_unused_queue_expires(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("brief", expires_s=0.3), QueueSpec("used", expires_s=0.3), "q")
    consumer = broker.consumer(["used", "q"], 0)

    def gone():
        consumer.receive(1, 0.05)
        return broker.publish([message("brief")], soon())[0].error is not None

    until(gone)
    for _ in range(15):
        consumer.receive(1, 0.05)
    publish(broker, message("used"))


def test_depth_tells_ready_in_flight_and_delayed(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, *[message(number=n) for n in range(5)], message(number=9, delay_s=60))
    broker.consumer(["q"], 0).receive(2, 0)
    depth = broker.depth(["q"], soon())["q"]
    assert (depth.ready, depth.in_flight, depth.delayed, depth.exact) == (3, 2, 1, True)


def test_purge_removes_what_is_ready(make_broker):
    broker = make_broker()
    declare(broker, "q", "other")
    publish(broker, *[message(number=n) for n in range(5)], message(number=9, delay_s=60), message("other"))
    consumer = broker.consumer(["q"], 0)
    held = consumer.receive(2, 0)
    assert broker.purge(["q"], soon()) == {"q": 3}
    depth = broker.depth(["q", "other"], soon())
    assert (depth["q"].ready, depth["q"].in_flight, depth["q"].delayed) == (0, 2, 1)
    assert depth["other"].ready == 1
    ack(consumer, *held)


def test_peek_leases_nothing(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, *[message(number=n) for n in range(5)])
    seen = broker.peek("q", 3, soon())
    assert numbers(seen) == [0, 1, 2]
    assert [(d.attempt, d.lease_until) for d in seen] == [(0, None)] * 3
    consumer = broker.consumer(["q"], 0)
    assert settle(consumer, SettleKind.ACK, seen[0])[0].error.code is Code.LEASE_LOST
    assert numbers(consumer.receive(9, 0)) == [0, 1, 2, 3, 4]


def test_closing_a_consumer_gives_back_what_it_holds(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message(number=0), message(number=1))
    consumer = broker.consumer(["q"], 0)
    acked, _ = consumer.receive(9, 0)
    ack(consumer, acked)
    consumer.close(release=True, deadline=soon())
    consumer.close(release=True, deadline=soon())
    assert code(consumer.receive, 1, 0) is Code.CLOSED
    assert code(consumer.settle, [], soon()) is Code.CLOSED
    [again] = broker.consumer(["q"], 0).receive(9, 0)
    assert (numbers([again]), again.attempt, again.redelivered) == ([1], 2, True)


def test_closing_releases_a_lease_that_another_consumer_extended_after_its_time(make_broker, clock):
    broker = make_broker(clock, lease_s=20.0)
    declare(broker, "q")
    publish(broker, message())
    holder, other = broker.consumer(["q"], 0), broker.consumer(["q"], 0)
    [held] = holder.receive(1, 0)
    clock.move(21)
    [extended] = other.settle([Settle(held, SettleKind.EXTEND, 4.0)], soon())
    assert extended.error is None

    holder.close(True, soon())

    assert len(other.receive(1, 0)) == 1


def test_closing_without_release_leaves_the_lease(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    consumer.receive(9, 0)
    consumer.close(release=False, deadline=soon())
    assert broker.consumer(["q"], 0).receive(9, 0) == []


def test_closing_ends_a_blocked_receive(make_broker):
    broker = make_broker()
    declare(broker, "q")
    consumer = broker.consumer(["q"], 0)
    timer = threading.Timer(0.1, broker.close, (soon(),))
    timer.start()
    began = time.monotonic()
    try:
        assert consumer.receive(1, 20) == []
    except DriverError as error:
        assert error.code is Code.CLOSED  # noqa: PT017 - either answer is right
    assert time.monotonic() - began < 5
    timer.join()


def test_a_closed_broker_says_so_and_can_be_opened_again(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    broker.close(soon())
    broker.close(soon())
    for call in (
        lambda: broker.publish([message()], soon()),
        lambda: broker.ping(soon()),
        lambda: broker.declare([QueueSpec("q")], soon()),
        lambda: broker.depth(["q"], soon()),
        lambda: broker.consumer(["q"], 0),
    ):
        assert code(call) is Code.CLOSED
    broker.open(soon())
    broker.open(soon())
    broker.ping(soon())
    assert broker.depth(["q"], soon())["q"].ready == 1


def test_eight_threads_publish_and_four_consume(make_broker):
    broker = make_broker()
    declare(broker, "q")
    seen: list[int] = []
    done = threading.Event()

    def send(start):
        for number in range(start, start + 100):
            publish(broker, message(number=number))

    def take():
        consumer = broker.consumer(["q"], 16)
        while not done.is_set():
            found = consumer.receive(8, 0.05)
            if found:
                ack(consumer, *found)
                seen.extend(numbers(found))

    with ThreadPoolExecutor(12) as threads:
        for number in range(8):
            threads.submit(send, number * 100)
        takers = [threads.submit(take) for _ in range(4)]
        until(lambda: len(seen) >= 800, 30)
        done.set()
    assert [taker.result() for taker in takers] == [None] * 4
    assert sorted(seen) == list(range(800))


def test_eight_threads_declare_the_same(make_broker):
    broker = make_broker()
    errors = []

    def make(number):
        try:
            declare(broker, QueueSpec("q", dead_letter="dead"), f"own-{number}", "q2")
        except DriverError as error:
            errors.append(error)

    threads = [threading.Thread(target=make, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    publish(broker, *[message(f"own-{n}") for n in range(8)])


def test_settling_from_another_thread(make_broker):
    broker = make_broker()
    declare(broker, "q")
    publish(broker, message())
    consumer = broker.consumer(["q"], 0)
    held = consumer.receive(1, 0)
    thread = threading.Thread(target=ack, args=(consumer, *held))
    thread.start()
    thread.join()
    assert broker.depth(["q"], soon())["q"].in_flight == 0


def test_an_ordering_group(make_broker, clock):
    broker = make_broker(clock, lease_s=10)
    declare(broker, "q")
    if not broker.capabilities().fifo_group:
        [result] = broker.publish([message(group="g")], soon())
        assert result.error.code is Code.UNSUPPORTED
        assert broker.depth(["q"], soon())["q"].ready == 0
        return
    publish(broker, *[message(number=n, group="ab"[n % 2]) for n in range(6)])
    one, two = broker.consumer(["q"], 0), broker.consumer(["q"], 0)
    held = one.receive(9, 0)
    assert numbers(held) == [0, 1]
    assert two.receive(9, 0) == []
    ack(one, held[0])
    assert numbers(two.receive(9, 0)) == [2]
    settle(one, SettleKind.RELEASE, held[1], seconds=5)
    assert two.receive(9, 0) == []
    clock.move(5)
    assert numbers(two.receive(9, 0)) == [1]


def test_what_is_not_claimed_is_unsupported(make_broker):
    claimed = make_broker().capabilities().claimed()
    assert not claimed & {"tls", "auth", "native_async"}


def test_a_deadline_is_obeyed(make_broker):
    broker = make_broker()
    declare(broker, "q")
    began = time.monotonic()
    try:
        broker.publish([message()], Deadline.after(0))
    except DriverError as error:
        assert error.code is Code.TIMEOUT  # noqa: PT017 - a publish that is fast enough is right, too
    assert time.monotonic() - began < 5


def test_repeated_open_and_close_leaks_no_descriptor(make_broker):
    descriptors = Path("/proc/self/fd")
    broker = make_broker()
    declare(broker, "q")
    broker.close(soon())
    before = len(list(descriptors.iterdir()))
    threads = threading.active_count()
    for _ in range(30):
        broker.open(soon())
        broker.consumer(["q"], 1).receive(1, 0)
        broker.close(soon())
    assert len(list(descriptors.iterdir())) == before
    assert threading.active_count() == threads


def test_settle_an_empty_batch(make_broker):
    broker = make_broker()
    declare(broker, "q")
    assert broker.consumer(["q"], 0).settle([], soon()) == []
    assert broker.publish([], soon()) == []


def test_a_mixed_batch_of_settlements(make_broker):
    broker = make_broker()
    declare(broker, QueueSpec("q", dead_letter="dead"))
    publish(broker, *[message(number=n) for n in range(4)])
    consumer = broker.consumer(["q"], 0)
    a, b, c, d = consumer.receive(9, 0)
    results = consumer.settle(
        [
            Settle(a, SettleKind.ACK),
            Settle(b, SettleKind.RELEASE),
            Settle(c, SettleKind.REJECT, reason="r"),
            Settle(d, SettleKind.EXTEND, seconds=100),
        ],
        soon(),
    )
    assert [result.ok for result in results] == [True] * 4
    assert results[3].lease_until > d.lease_until
    depth = broker.depth(["q", "dead"], soon())
    assert (depth["q"].ready, depth["q"].in_flight, depth["dead"].ready) == (1, 1, 1)
