"""The consumer that SimpleBroker makes of do_receive and do_settle."""

import threading
import time
from dataclasses import replace

import pytest
from contracts_toy import ToyBroker

from kernel.contracts import Deadline, Outgoing, Settle, SettleKind
from kernel.errors import Applied, Code, DriverError


def soon():
    return Deadline.after(5)


def put(broker, count, queue="a"):
    assert all(
        result.ok for result in broker.publish([Outgoing(queue, b"x", {}, f"{n}") for n in range(count)], soon())
    )


def act(delivery, kind=SettleKind.ACK, seconds=0.0):
    return Settle(delivery, kind, seconds)


def codes(results):
    return [result.error and result.error.code for result in results]


def in_thread(work):
    """Run it beside us; a function that waits for its result."""
    box = []
    thread = threading.Thread(target=lambda: box.append(work()))
    thread.start()

    def result():
        thread.join(10)
        assert not thread.is_alive(), "it hangs"
        return box[0]

    return result


class TestReceive:
    def test_fills_in_queue_epoch_and_redelivered(self, broker):
        put(broker, 1)
        consumer = broker.consumer(["a"], 0)
        [first] = consumer.receive(5, 0)
        assert (first.message.queue, first.attempt, first.redelivered, first.epoch) == ("a", 1, False, 1)
        consumer.settle([act(first, SettleKind.RELEASE)], soon())
        [second] = consumer.receive(5, 0)
        assert (second.attempt, second.redelivered) == (2, True)
        assert hash(second.receipt) != hash(first.receipt)

    def test_queues_take_turns(self, broker):
        put(broker, 6, "a")
        put(broker, 2, "b")
        consumer = broker.consumer(["a", "b", "a"], 0)
        assert {consumer.receive(1, 0)[0].message.queue for _ in range(2)} == {"a", "b"}
        assert len(consumer.receive(5, 0)) == 5

    def test_what_came_before_an_error_is_kept(self, broker, toy):
        put(broker, 1)
        consumer = broker.consumer(["nowhere", "a"], 0)
        assert len(consumer.receive(5, 0)) == 1, "the turn begins with the second"
        with pytest.raises(DriverError) as caught:
            consumer.receive(5, 0)
        assert caught.value.code is Code.NOT_FOUND

    def test_what_a_generator_gave_before_it_broke_is_kept(self, make, toy):
        class Breaking(ToyBroker):
            def do_receive(self, conn, queue, max_n, wait_s):
                yield from super().do_receive(conn, queue, 1, wait_s)
                raise ConnectionResetError("cut")

        broker = make(Breaking)
        put(broker, 1)
        consumer = broker.consumer(["a"], 0)
        [found] = consumer.receive(5, 0)
        assert codes(consumer.settle([act(found)], soon())) == [None]

    def test_idle_waits_so_long_and_looks_seldom(self, broker, toy):
        consumer = broker.consumer(["a"], 0)
        assert consumer.receive(1, 0) == []
        toy.calls.clear()
        started = time.monotonic()
        assert consumer.receive(1, 0.6) == []
        assert 0.6 <= time.monotonic() - started < 5
        assert len(toy.calls) < 40

    def test_a_publish_or_a_wake_ends_the_wait(self, broker, toy):
        consumer = broker.consumer(["a"], 0)
        waiting = in_thread(lambda: consumer.receive(1, 30))
        put(broker, 1)
        assert len(waiting()) == 1
        waiting = in_thread(lambda: consumer.receive(1, 30))
        consumer.wake()
        assert waiting() == []
        consumer.wake()
        assert consumer.receive(1, 30) == [], "a wake before the wait counts, too"

    def test_closing_the_broker_ends_the_wait(self, make):
        broker = make()
        consumer = broker.consumer(["a"], 0)
        waiting = in_thread(lambda: consumer.receive(1, 30))
        broker.close(soon())
        assert waiting() == []

    def test_closing_a_consumer_with_its_own_connection_while_it_receives(self, bound_broker, toy):
        consumer = bound_broker.consumer(["a"], 0)
        waiting = in_thread(lambda: consumer.receive(1, 30))
        give_up = time.monotonic() + 10
        while "receive a 1" not in toy.calls and time.monotonic() < give_up:
            time.sleep(0.001)
        consumer.close(release=True, deadline=soon())
        assert waiting() == []
        assert [conn.open for conn in toy.connections] == [True, False], "the broker's and its own"

    def test_a_connection_made_while_the_broker_closes_does_not_stay(self, make, toy):
        class Slow(ToyBroker):
            def connect(self, deadline):
                if toy.connections:
                    self._line.close()  # as another thread may, just then
                return super().connect(deadline)

        broker = make(Slow)
        codes_seen = []

        def ping():
            try:
                broker.ping(soon())
            except DriverError as error:
                codes_seen.append(error.code)

        in_thread(ping)()
        assert codes_seen == [Code.CLOSED]
        assert not [conn for conn in toy.connections if conn.open]

    def test_long_polls_are_for_the_last_queue_and_end_in_time(self, make, toy):
        waits = []

        class Patient(ToyBroker):
            LONG_POLL_S = 0.2

            def do_receive(self, conn, queue, max_n, wait_s):
                waits.append(wait_s)
                return []

        consumer = make(Patient).consumer(["a", "b"], 0)
        assert consumer.receive(1, 0) == []
        assert consumer.receive(1, 0.05) == []
        assert waits[:2] == [0.0, 0.0]
        assert waits[2] == 0.0
        assert 0.0 < waits[3] <= 0.05


class TestPrefetch:
    def test_never_more_than_it_holds(self, broker, toy):
        put(broker, 5)
        consumer = broker.consumer(["a"], 2)
        held = consumer.receive(5, 0)
        assert len(held) == 2
        toy.calls.clear()
        assert consumer.receive(5, 0) == []
        assert toy.calls == [], "the server is not asked for what could not be held"
        waiting = in_thread(lambda: consumer.receive(5, 30))
        consumer.settle([act(held[0])], soon())
        assert len(waiting()) == 1

    def test_expired_leases_are_not_held(self, make, toy):
        class Short(ToyBroker):
            def do_receive(self, conn, queue, max_n, wait_s):
                for one in super().do_receive(conn, queue, max_n, wait_s):
                    yield replace(one, lease_until=self.clock() + 0.05)

        broker = make(Short)
        put(broker, 2)
        consumer = broker.consumer(["a"], 1)
        assert len(consumer.receive(2, 0)) == 1
        assert len(consumer.receive(2, 10)) == 1


class TestSettle:
    def test_each_has_its_own_result(self, broker):
        put(broker, 3)
        consumer = broker.consumer(["a"], 0)
        one, two, three = consumer.receive(3, 0)
        garbage = replace(two, receipt="garbage")
        actions = [act(one), act(garbage), act(one), act(two, SettleKind.RELEASE, -1), act(three)]
        results = consumer.settle(actions, soon())
        assert codes(results) == [None, Code.INVALID, Code.LEASE_LOST, Code.INVALID, None]

    def test_extend_tells_the_new_end(self, broker):
        put(broker, 1)
        consumer = broker.consumer(["a"], 0)
        [one] = consumer.receive(1, 0)
        [result] = consumer.settle([act(one, SettleKind.EXTEND, 90)], soon())
        assert result.ok
        assert 80 < result.lease_until - time.time() <= 90

    def test_unclaimed_kinds(self, broker, bound_broker):
        put(broker, 1)
        consumer = broker.consumer(["a"], 0)
        [one] = consumer.receive(1, 0)
        assert codes(consumer.settle([act(one, SettleKind.RELEASE, 5)], soon())) == [Code.UNSUPPORTED]
        put(bound_broker, 1)
        bound = bound_broker.consumer(["a"], 0)
        [two] = bound.receive(1, 0)
        assert codes(bound.settle([act(two, SettleKind.EXTEND, 5)], soon())) == [Code.UNSUPPORTED]
        assert codes(bound.settle([act(two)], soon())) == [None]

    def test_after_a_loss_the_rest_is_not_tried(self, broker, toy):
        put(broker, 3)
        consumer = broker.consumer(["a"], 0)
        held = consumer.receive(3, 0)
        toy.fail_next.append(TimeoutError("silence"))
        toy.calls.clear()
        results = consumer.settle([act(one) for one in held], soon())
        assert codes(results) == [Code.TIMEOUT] * 3
        assert [r.error.outcome for r in results] == [Applied.UNKNOWN, Applied.NOT_APPLIED, Applied.NOT_APPLIED]
        assert toy.calls == ["settle ack"]
        assert codes(consumer.settle([act(one) for one in held], soon())) == [None] * 3

    def test_closing_gives_back_what_is_held(self, broker, toy):
        put(broker, 3)
        consumer = broker.consumer(["a"], 0)
        held = consumer.receive(2, 0)
        consumer.settle([act(held[0])], soon())
        consumer.close(release=True, deadline=soon())
        consumer.close(release=True, deadline=soon())
        assert len(toy.ready["a"]) == 2
        assert not toy.held

    def test_closing_without_release_keeps_it(self, broker, toy):
        put(broker, 1)
        consumer = broker.consumer(["a"], 0)
        consumer.receive(1, 0)
        consumer.close(release=False, deadline=soon())
        assert len(toy.held) == 1

    def test_what_arrives_while_closing_is_given_back(self, make, toy):
        class Closing(ToyBroker):
            def do_receive(self, conn, queue, max_n, wait_s):
                found = list(super().do_receive(conn, queue, max_n, wait_s))
                consumer.close(release=True, deadline=soon())
                return found

        broker = make(Closing)
        put(broker, 1)
        consumer = broker.consumer(["a"], 0)
        assert consumer.receive(1, 0) == []
        assert len(toy.ready["a"]) == 1
