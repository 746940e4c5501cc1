import time

from kernel.contracts import Delivery, Outgoing
from plugin_broker_sqs.leases import Leases, Receipt


def delivery(handle, until):
    return Delivery(Outgoing("q", b"", {}, handle), Receipt("q", handle, handle, until - 60, until), lease_until=until)


def test_a_delivery_is_held_until_its_lease_ends():
    leases = Leases(time.time)
    one = delivery("a", time.time() + 60)
    leases.add(one, 60)
    assert leases.holds(one.receipt)
    leases.add(one, -0.001)
    assert not leases.holds(one.receipt)
    leases.extend(one.receipt, 60)
    assert leases.holds(one.receipt)


def test_the_wall_clock_may_jump():
    now = [1000.0]
    leases = Leases(lambda: now[0])
    one = delivery("a", 1060.0)
    leases.add(one, 60)
    now[0] = 5000.0
    assert leases.holds(one.receipt), "what was received here is judged by a clock that nobody sets"


def test_what_was_settled_is_not_held_even_where_it_is_unknown():
    leases = Leases(time.time)
    one = delivery("a", time.time() + 60)
    leases.add(one, 60)
    leases.end(one.receipt)
    assert not leases.holds(one.receipt)
    assert leases.count() == 0


def test_the_receipt_of_another_process_is_judged_by_its_own_end():
    now = [1000.0]
    leases = Leases(lambda: now[0])
    one = delivery("a", 1060.0)
    assert leases.holds(one.receipt)
    now[0] = 1061.0
    assert not leases.holds(one.receipt)


def test_settled_ones_are_forgotten_when_their_leases_are_over():
    now = [1000.0]
    leases = Leases(lambda: now[0])
    for number in range(100):
        now[0] += 1
        leases.end(delivery(str(number), now[0] + 10).receipt)
    assert len(leases._ended) <= 11


def test_what_is_held_can_be_taken_out():
    leases = Leases(time.time)
    kept, over = delivery("a", time.time() + 60), delivery("b", time.time() + 60)
    leases.add(kept, 60)
    leases.add(over, -1)
    assert leases.count() == 1
    assert leases.take_all() == [kept]
    assert leases.take_all() == []
