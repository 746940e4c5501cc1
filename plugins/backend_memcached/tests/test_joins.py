"""Joins at any size, and after a report that died between any two of its writes."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernel.contracts import Deadline, JoinState
from kernel.errors import Code, DriverError
from kernel_conformance.proxy import ChaosProxy

MANY = 500


def soon():
    return Deadline.after(30)


def report(backend, number, size, key, ttl_s=600):
    return backend.join(key, f"{number:06d}:id", b"%d" % number, size, ttl_s, soon())


def payloads(size):
    return tuple(b"%d" % number for number in range(size))


def nonce_of(raw, key):
    return json.loads(raw.get(f"celery-join-{key}"))[0]


def test_a_report_costs_the_same_however_many_there_are(server, backend_at):
    with ChaosProxy(server.address) as proxy:
        backend = backend_at(proxy.address)
        cost = []
        for number in range(MANY - 1):
            before = proxy.requests + proxy.replies
            assert report(backend, number, MANY, "cost") == JoinState(number + 1, MANY, won=False)
            cost.append(proxy.requests + proxy.replies - before)
        assert sum(cost[-20:]) < 1.5 * sum(cost[10:30])
        assert report(backend, MANY - 1, MANY, "cost").payloads == payloads(MANY)


def test_many_that_report_twice_at_once_count_once_and_one_of_them_wins(server, backend_at):
    backend = backend_at(server.address)
    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(lambda turn: report(backend, turn // 2, 200, "twice"), range(400)))
    (won,) = [state for state in states if state.won]
    assert won.payloads == payloads(200)


def test_a_report_that_died_before_its_member_was_listed_is_made_again(server, backend_at, raw_at):
    """Its payload is there already, and stays."""
    backend, raw = backend_at(server.address), raw_at(server.address)
    report(backend, 0, 2, "unlisted")
    nonce = nonce_of(raw, "unlisted")
    raw.set(f"celery-members-{nonce}", b"")
    raw.set(f"celery-reports-{nonce}", b"0")
    assert backend.join("unlisted", "000000:id", b"other", 2, 600, soon()) == JoinState(1, 2, won=False)
    assert report(backend, 1, 2, "unlisted").payloads == payloads(2)


def test_a_number_without_a_member_completes_nothing_and_delays_nothing(server, backend_at, raw_at):
    backend, raw = backend_at(server.address), raw_at(server.address)
    report(backend, 0, 3, "over")
    raw.incr(f"celery-reports-{nonce_of(raw, 'over')}", 1)
    assert report(backend, 1, 3, "over") == JoinState(2, 3, won=False)
    assert report(backend, 1, 3, "over") == JoinState(2, 3, won=False)
    assert report(backend, 2, 3, "over").payloads == payloads(3)


def test_a_member_that_died_before_it_won_wins_when_it_reports_again(server, backend_at, raw_at):
    backend, raw = backend_at(server.address), raw_at(server.address)
    report(backend, 0, 2, "last")
    assert report(backend, 1, 2, "last").won
    raw.delete(f"celery-claim-{nonce_of(raw, 'last')}")
    assert report(backend, 1, 2, "last").payloads == payloads(2)


def test_a_member_nobody_expects_adds_nothing(server, backend_at, raw_at):
    backend, raw = backend_at(server.address), raw_at(server.address)
    for number in range(2):
        report(backend, number, 2, "late")
    assert report(backend, 2, 2, "late") == JoinState(2, 2, won=False)
    raw.delete(f"celery-claim-{nonce_of(raw, 'late')}")
    assert report(backend, 2, 2, "late").payloads == payloads(2)


@pytest.mark.parametrize("ttl_s", [600, None])
def test_nothing_but_the_mark_is_left_of_a_join_that_is_done(server, backend_at, raw_at, ttl_s):
    backend, raw = backend_at(server.address), raw_at(server.address)
    key = f"done-{ttl_s}"
    for number in range(2):
        report(backend, number, 2, key, ttl_s)
    nonce = nonce_of(raw, key)
    backend.joined(key, ttl_s, soon())
    assert json.loads(raw.get(f"celery-join-{key}")) == ["", 0]
    assert [raw.get(f"celery-{kind}-{nonce}") for kind in ("reports", "members")] == [None, None]
    assert report(backend, 0, 2, key, ttl_s) == JoinState(2, 2, won=False, done=True)


@pytest.mark.parametrize("what", ["members", "reports"])
def test_a_join_whose_list_was_dropped_is_an_error(server, backend_at, raw_at, what):
    backend, raw = backend_at(server.address), raw_at(server.address)
    report(backend, 0, 2, what)
    raw.delete(f"celery-{what}-{nonce_of(raw, what)}")
    with pytest.raises(DriverError, match="dropped") as caught:
        report(backend, 1, 2, what)
    assert caught.value.code is Code.EXHAUSTED
    assert not caught.value.retryable
