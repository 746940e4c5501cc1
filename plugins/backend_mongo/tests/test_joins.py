"""Joins at any size, and after a report that died between any two of its writes."""

from concurrent.futures import ThreadPoolExecutor

from kernel.contracts import Deadline, JoinState
from kernel_conformance.proxy import ChaosProxy

MANY = 300


def soon():
    return Deadline.after(30)


def report(backend, number, size, key="j"):
    return backend.join(key, f"{number:06d}:id", b"%d" % number, size, 600, soon())


def payloads(size):
    return tuple(b"%d" % number for number in range(size))


def test_a_report_costs_the_same_however_many_there_are(server, backend_at):
    with ChaosProxy(server.address) as proxy:
        backend = backend_at(proxy.address)
        cost = []
        for number in range(MANY - 1):
            before = proxy.requests + proxy.replies
            assert report(backend, number, MANY) == JoinState(number + 1, MANY, won=False)
            cost.append(proxy.requests + proxy.replies - before)
        assert sum(cost[-20:]) < 1.5 * sum(cost[10:30])
        assert report(backend, MANY - 1, MANY).payloads == payloads(MANY)


def test_many_that_report_twice_at_once_count_once_and_one_of_them_wins(server, backend_at):
    backend = backend_at(server.address)
    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(lambda turn: report(backend, turn // 2, 60), range(120)))
    (won,) = [state for state in states if state.won]
    assert won.payloads == payloads(60)


def test_a_report_that_died_before_it_inserted_its_member_is_made_again(server, backend_at, raw):
    """Nobody takes its number for a member, and the chord ends with its last member all the same."""
    backend = backend_at(server.address)
    report(backend, 0, 3)
    raw["celery_join"].update_one({"_id": "j"}, {"$inc": {"reports": 1}})
    assert not report(backend, 1, 3).won
    assert report(backend, 1, 3) == JoinState(2, 3, won=False)
    assert report(backend, 2, 3).payloads == payloads(3)


def test_a_report_that_died_before_it_looked_is_made_again(server, backend_at, raw):
    backend = backend_at(server.address)
    report(backend, 0, 2)
    raw["celery_join"].update_one({"_id": "j"}, {"$inc": {"reports": 1}})
    head = raw["celery_join"].find_one({"_id": "j"})
    last = {"_id": f"{head['nonce']}:000001:id", "join": head["nonce"], "member": "000001:id", "payload": b"1"}
    raw["celery_joinmember"].insert_one({**last, "until": head["until"]})
    assert report(backend, 1, 2).payloads == payloads(2)


def test_a_report_that_died_before_it_took_its_number_off_delays_nothing(server, backend_at, raw):
    backend = backend_at(server.address)
    report(backend, 0, 3)
    report(backend, 0, 3)
    raw["celery_join"].update_one({"_id": "j"}, {"$inc": {"reports": 5}})
    assert report(backend, 1, 3) == JoinState(2, 3, won=False)
    assert report(backend, 2, 3).payloads == payloads(3)


def test_two_joins_of_one_name_do_not_share_members(server, backend_at, raw):
    """A head that has ended, and begins anew while a member of the old one is still there."""
    backend = backend_at(server.address)
    report(backend, 0, 2)
    raw["celery_join"].update_one({"_id": "j"}, {"$set": {"until": 1}})
    assert report(backend, 1, 2) == JoinState(1, 2, won=False)
    assert report(backend, 0, 2).payloads == payloads(2)
