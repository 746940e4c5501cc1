"""SimpleBroker: what the base adds to an author's verbs."""

import os
import threading
import time

import pytest
from contracts_toy import ToyBroker, ToyError

from kernel.contracts import Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.errors import Applied, Code, DriverError
from kernel.model.topology import Exchange, QueueSpec


def soon():
    return Deadline.after(5)


def message(number=1, queue="a", body=b"x", **fields):
    return Outgoing(queue, body, {}, str(number), **fields)


def code_of(call, *args):
    with pytest.raises(DriverError) as caught:
        call(*args)
    return caught.value.code


class TestLife:
    def test_the_constructor_connects_nothing_and_checks_the_url(self, make, toy):
        broker = make(opened=False)
        assert toy.connections == []
        assert broker.options == {"speed": 3}
        assert "pa" not in repr(broker).replace("<ToyBroker", "")
        assert code_of(ToyBroker, "other://x", {}, PluginContext()) is Code.INVALID
        assert code_of(ToyBroker, "toy://host:99999999", {}, PluginContext()) is Code.INVALID

    def test_closed_before_and_after(self, make):
        broker = make()
        consumer = broker.consumer(["a"], 0)
        broker.close(soon())
        broker.close(soon())
        for target in (make(opened=False), broker):
            assert code_of(target.ping, soon()) is Code.CLOSED
            assert code_of(target.publish, [], soon()) is Code.CLOSED
            assert code_of(target.declare, [], soon()) is Code.CLOSED
            assert code_of(target.consumer, ["a"], 0) is Code.CLOSED
            assert code_of(target.depth, ["a"], soon()) is Code.CLOSED
        assert code_of(consumer.receive, 1, 0) is Code.CLOSED
        assert code_of(consumer.settle, [], soon()) is Code.CLOSED
        broker.open(soon())
        broker.ping(soon())

    def test_opening_fails_with_the_translated_error_and_no_password(self, make, toy):
        toy.up = False
        with pytest.raises(DriverError) as caught:
            make(opened=False).open(soon())
        error = caught.value
        assert (error.code, error.outcome, error.retryable) == (Code.UNAVAILABLE, Applied.NOT_APPLIED, True)
        assert isinstance(error.__cause__, ConnectionRefusedError)
        assert "pa/ss" not in str(error)
        assert "pa%2Fss" not in str(error)

    def test_each_thread_has_a_connection_and_those_of_ended_ones_are_closed(self, broker, toy):
        def work():
            broker.ping(soon())

        for _ in range(5):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        assert len(toy.connections) == 6
        assert sum(conn.open for conn in toy.connections) == 2, "ours and the last thread's"

    def test_a_deadline_that_has_passed_reaches_nobody(self, broker, toy):
        toy.calls.clear()
        assert code_of(broker.ping, Deadline.after(-1)) is Code.TIMEOUT
        assert toy.calls == []


class TestReconnection:
    def test_the_next_call_reconnects_with_a_new_epoch(self, broker, toy):
        broker.publish([message(1), message(2)], soon())
        consumer = broker.consumer(["a"], 0)
        [first] = consumer.receive(1, 0)
        toy.up = False
        assert code_of(broker.ping, soon()) is Code.UNAVAILABLE
        assert code_of(broker.ping, soon()) is Code.UNAVAILABLE
        toy.up = True
        [second] = consumer.receive(1, 0)
        assert second.epoch > first.epoch
        assert [result.ok for result in consumer.settle([ack(first), ack(second)], soon())] == [True, True]

    def test_without_leases_receipts_die_with_their_connection(self, bound_broker, toy):
        bound_broker.publish([message(1)], soon())
        consumer = bound_broker.consumer(["a"], 0)
        [first] = consumer.receive(1, 0)
        toy.fail_next.append(ConnectionResetError("cut"))
        assert code_of(consumer.receive, 1, 0) is Code.UNAVAILABLE
        toy.calls.clear()
        [result] = consumer.settle([ack(first)], soon())
        assert result.error.code is Code.LEASE_LOST
        assert toy.calls == [], "the server is not asked"

    def test_without_leases_another_thread_settles_over_the_same_connection(self, bound_broker):
        bound_broker.publish([message(1)], soon())
        consumer = bound_broker.consumer(["a"], 0)
        found = consumer.receive(1, 0)
        results = []
        thread = threading.Thread(target=lambda: results.extend(consumer.settle([ack(found[0])], soon())))
        thread.start()
        thread.join()
        assert results[0].ok

    def test_an_unknown_exception_is_internal_and_costs_the_connection(self, broker, toy):
        toy.fail_next.append(ZeroDivisionError("odd"))
        with pytest.raises(DriverError, match="odd") as caught:
            broker.ping(soon())
        assert caught.value.code is Code.INTERNAL
        assert not toy.connections[0].open
        broker.ping(soon())

    @pytest.mark.parametrize(
        ("native", "code"),
        [
            (OSError(28, "No space left on device"), Code.EXHAUSTED),
            (NotImplementedError("not yet"), Code.UNSUPPORTED),
            (PermissionError(13, "no"), Code.UNAVAILABLE),
            (DriverError(Code.CONFLICT, "said so"), Code.CONFLICT),
        ],
    )
    def test_what_needs_no_entry(self, broker, toy, native, code):
        toy.fail_next.append(native)
        assert code_of(broker.ping, soon()) is code

    def test_an_ordinary_refusal_keeps_the_connection(self, broker, toy):
        toy.fail_next.append(ToyError("no"))
        assert code_of(broker.ping, soon()) is Code.INVALID
        broker.ping(soon())
        assert len(toy.connections) == 1


class TestPublish:
    def test_one_by_one_without_a_batch_size(self, broker, toy):
        toy.calls.clear()
        results = broker.publish([message(1), message(2, "nowhere"), message(3)], soon())
        assert [result.error and result.error.code for result in results] == [None, Code.NOT_FOUND, None]
        assert toy.calls == ["publish 1"] * 3
        assert len(toy.ready["a"]) == 2

    def test_split_into_batches_with_a_result_for_each(self, batch_broker, toy):
        toy.calls.clear()
        items = [message(n, body=b"bad" if n == 4 else b"x") for n in range(7)]
        results = batch_broker.publish(items, soon())
        assert toy.calls == ["publish 3", "publish 3", "publish 1"]
        assert [result.ok for result in results] == [n != 4 for n in range(7)]
        assert isinstance(results[4].error.__cause__, ToyError)

    def test_after_a_loss_the_rest_is_not_tried(self, batch_broker, toy):
        toy.fail_next.append(ConnectionResetError("cut"))
        toy.calls.clear()
        results = batch_broker.publish([message(n) for n in range(5)], soon())
        assert [result.error.code for result in results] == [Code.UNAVAILABLE] * 5
        outcomes = [result.error.outcome for result in results]
        assert outcomes == [Applied.UNKNOWN] * 3 + [Applied.NOT_APPLIED] * 2
        assert toy.calls == ["publish 3"]

    def test_no_connection_at_all_is_raised(self, broker, toy):
        toy.up = False
        assert [result.error.outcome for result in broker.publish([message()], soon())] == [Applied.UNKNOWN]
        with pytest.raises(DriverError) as caught:
            broker.publish([message()], soon())
        assert (caught.value.code, caught.value.outcome) == (Code.UNAVAILABLE, Applied.NOT_APPLIED)

    @pytest.mark.parametrize(
        ("item", "code"),
        [
            (message(body=b"x" * 101), Code.TOO_LARGE),
            (message(body="text"), Code.INVALID),
            (message(queue=""), Code.INVALID),
            (message(queue="a\n"), Code.INVALID),
            (message(queue="\ud800"), Code.INVALID),
            (message(priority=1), Code.UNSUPPORTED),
            (message(delay_s=1.0), Code.UNSUPPORTED),
            (message(delay_s=0.0), Code.UNSUPPORTED),
            (message(ttl_s=1.0), Code.UNSUPPORTED),
            (message(group="g"), Code.UNSUPPORTED),
            (message(dedup_id="d"), Code.UNSUPPORTED),
            (message(queue="", exchange="e"), Code.UNSUPPORTED),
            (Outgoing("a", b"", {"x": [{"y": b"z"}]}, "1"), Code.UNSUPPORTED),
        ],
    )
    def test_refused_before_the_network(self, broker, toy, item, code):
        toy.calls.clear()
        bad, good = broker.publish([item, message(2)], soon())
        assert bad.error.code is code
        assert good.ok
        assert toy.calls == ["publish 1"]


class TestDeclare:
    @pytest.mark.parametrize(
        ("spec", "code"),
        [
            (QueueSpec(""), Code.INVALID),
            (QueueSpec("x" * 256), Code.INVALID),
            (QueueSpec("x", dead_letter="x"), Code.INVALID),
            (QueueSpec("x", dead_letter="\n"), Code.INVALID),
            (QueueSpec("x", lease_s=0), Code.INVALID),
            (QueueSpec("x", lease_s=float("nan")), Code.INVALID),
            (QueueSpec("x", expires_s=float("inf")), Code.INVALID),
            (QueueSpec("x", ttl_s=1), Code.UNSUPPORTED),
            (QueueSpec("x", max_priority=1), Code.UNSUPPORTED),
            (QueueSpec("x", delivery_limit=1), Code.UNSUPPORTED),
            (QueueSpec("x", temporary=True), Code.UNSUPPORTED),
            (QueueSpec("x", exchange=Exchange("e", "headers")), Code.UNSUPPORTED),
        ],
    )
    def test_refused_before_the_network(self, broker, toy, spec, code):
        toy.calls.clear()
        assert code_of(broker.declare, [QueueSpec("fine"), spec], soon()) is code
        assert toy.calls == []

    def test_deleting_what_is_not_there(self, broker, toy):
        broker.delete(["none", "", "a"], soon())
        assert list(toy.ready) == ["b"]

    def test_calls_without_their_capability(self, broker):
        assert broker.depth(["a"], soon())["a"].ready == 0
        assert code_of(broker.purge, ["a"], soon()) is Code.UNSUPPORTED
        assert code_of(broker.peek, "a", 1, soon()) is Code.UNSUPPORTED
        assert code_of(broker.depth, ["\n"], soon()) is Code.INVALID


def ack(delivery, **fields):
    return Settle(delivery, SettleKind.ACK, **fields)


class TestForks:
    def test_a_child_connects_anew_and_its_consumers_are_closed(self, broker, toy):
        broker.publish([message(1)], soon())
        consumer = broker.consumer(["a"], 0)
        held = consumer.receive(1, 0)
        [ours] = toy.connections
        child = os.fork()
        if child == 0:
            try:
                assert not ours.told, "it was closed with a word to the server"
                broker.ping(soon())
                assert len(toy.connections) == 2
                assert code_of(consumer.receive, 1, 0) is Code.CLOSED
                assert toy.held, "the parent's delivery was given back"
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert consumer.settle([ack(held[0])], soon())[0].ok
        assert len(toy.connections) == 1

    def test_a_fork_while_another_thread_holds_the_connection(self, bound_broker, toy):
        consumer = bound_broker.consumer(["a"], 0)
        line = consumer.line
        handle = line.handles.take(soon())
        child = os.fork()
        if child == 0:
            started = time.monotonic()
            ok = code_of(consumer.receive, 1, 0) is Code.CLOSED
            fresh = bound_broker.consumer(["a"], 0)
            os._exit(0 if ok and fresh.receive(1, 0) == [] and time.monotonic() - started < 5 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        line.handles.give_back(handle)
