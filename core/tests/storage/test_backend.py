"""What every result backend of the kernel does, on both built-in ones."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_helpers import soon

from kernel.contracts import CLAIM_S, Deadline, JoinState, Record, StoreMode
from kernel.errors import Code, DriverError
from kernel.model.states import READY_STATES

FULL = Record(
    id="the id",
    status="SUCCESS",
    result=bytes(range(256)),
    content_type="application/x-yaml",
    content_encoding="binary",
    traceback="Traceback \ud800 ü\n",
    children='[["a", null]]',
    date_done="2026-11-21T10:00:00+00:00",
    parent_id="p",
    group_id="g",
    name="tasks.add",
    args="[1]",
    kwargs="{}",
    worker="w1@host",
    retries=2,
    queue="q",
    stamps='{"a": 1}',
    ttl_s=60.0,
)


def store(backend, *records, mode=StoreMode.UPSERT):
    return [result.stored for result in backend.store(records, mode, soon())]


def fetch(backend, *ids):
    return backend.fetch(ids, soon())


def code(call, *args):
    with pytest.raises(DriverError) as caught:
        call(*args)
    return caught.value.code


def test_every_field_makes_the_round_trip(make_backend):
    backend = make_backend()
    assert store(backend, FULL) == [True]
    assert fetch(make_backend(), "the id") == [FULL]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(min_size=1),
    result=st.none() | st.binary(max_size=100),
    text=st.none() | st.text(alphabet=st.characters(exclude_categories=())),
)
def test_any_record_makes_the_round_trip(make_backend, key, result, text):
    backend = make_backend()
    record = Record("k" + key, "SUCCESS", result, traceback=text, worker=text)
    assert store(backend, record) == [True]
    assert fetch(backend, record.id) == [record]


def test_where_the_caller_waits_is_no_part_of_the_record(make_backend):
    backend = make_backend()
    assert store(backend, replace(FULL, reply_to="a reply queue")) == [True]
    assert fetch(backend, "the id") == [FULL]


def test_unknown_ids_are_none_and_order_is_kept(make_backend):
    backend = make_backend()
    store(backend, *[Record(str(n), "SUCCESS") for n in range(1100)])
    wanted = [str(n) for n in random.Random(1).sample(range(1300), 1000)] + ["5", "5"]
    found = fetch(backend, *wanted)
    assert [None if one is None else one.id for one in found] == [k if int(k) < 1100 else None for k in wanted]
    assert fetch(backend) == []


@pytest.mark.parametrize("key", ["a b", "a\r\nb", "x" * 300, "ключ", "a'--", "%", "*", "A", "a\x00", "a\x00b"])
def test_odd_ids_do_not_alias(make_backend, key):
    backend = make_backend()
    store(backend, Record("a", "SUCCESS", b"0"))
    store(backend, Record(key, "SUCCESS", b"1"))
    assert [one and one.result for one in fetch(backend, "a", key)] == [b"0", b"1"]
    assert backend.forget([key], soon()) == 1
    assert [one and one.result for one in fetch(backend, "a", key)] == [b"0", None]


def test_a_result_at_the_limit_and_beyond(make_backend):
    backend = make_backend()
    limit = backend.capabilities().limits.max_body
    at, beyond = backend.store(
        [Record("at", "SUCCESS", bytes(limit)), Record("beyond", "SUCCESS", bytes(limit + 1))],
        StoreMode.UPSERT,
        soon(60),
    )
    assert (at.stored, beyond.stored) == (True, False)
    assert beyond.error.code is Code.TOO_LARGE
    assert len(fetch(backend, "at")[0].result) == limit
    assert fetch(backend, "beyond") == [None]


def test_upsert_replaces_the_whole_record(make_backend):
    backend = make_backend()
    store(backend, FULL)
    store(backend, Record("the id", "RETRY"))
    assert fetch(backend, "the id") == [Record("the id", "RETRY")]


@pytest.mark.parametrize("old", ["PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED", "CUSTOM"])
@pytest.mark.parametrize("mode", list(StoreMode))
def test_modes_keep_what_they_must(make_backend, mode, old):
    backend = make_backend()
    store(backend, Record("x", old))
    kept = {
        StoreMode.UPSERT: False,
        StoreMode.IF_ABSENT: True,
        StoreMode.IF_NOT_FINAL: old in READY_STATES,
        StoreMode.IF_NOT_SUCCESS: old == "SUCCESS",
    }[mode]
    assert store(backend, Record("x", "NEW", b"new"), Record("y", "NEW"), mode=mode) == [not kept, True]
    assert fetch(backend, "x")[0].status == (old if kept else "NEW")
    assert store(backend, Record("z", "NEW"), mode=mode) == [True]


def test_an_expired_record_counts_as_absent(make_backend, clock):
    backend = make_backend(clock)
    for mode in StoreMode:
        store(backend, Record("x", "SUCCESS", ttl_s=5))
        clock.move(6)
        assert store(backend, Record("x", "STARTED"), mode=mode) == [True]
        assert fetch(backend, "x")[0].status == "STARTED"


def test_of_sixteen_threads_one_stores_if_absent(make_backend):
    backend = make_backend()
    barrier = threading.Barrier(16)

    def put(number):
        barrier.wait()
        return store(backend, Record("x", "SUCCESS", str(number).encode()), mode=StoreMode.IF_ABSENT)[0]

    with ThreadPoolExecutor(16) as threads:
        won = list(threads.map(put, range(16)))
    assert won.count(True) == 1
    assert fetch(backend, "x")[0].result == str(won.index(True)).encode()


def test_a_final_state_is_sticky_under_concurrency(make_backend):
    backend = make_backend()

    def put(number):
        mode = StoreMode.IF_NOT_FINAL
        if number == 20:
            return store(backend, Record("x", "SUCCESS"), mode=mode)
        return store(backend, Record("x", "STARTED"), mode=mode)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(60)))
    assert fetch(backend, "x")[0].status == "SUCCESS"


def test_forget(make_backend, clock):
    backend = make_backend(clock)
    store(backend, Record("a", "SUCCESS"), Record("b", "SUCCESS", ttl_s=1), Record("c", "SUCCESS"))
    clock.move(2)
    assert backend.forget(["a", "b", "never"], soon()) == 1
    assert backend.forget(["a"], soon()) == 0
    assert [one and one.id for one in fetch(backend, "a", "b", "c")] == [None, None, "c"]


def test_ttl_ends_and_is_renewed_by_overwriting(make_backend, clock):
    backend = make_backend(clock)
    month = 40 * 86_400.0
    store(
        backend, Record("a", "SUCCESS", ttl_s=5), Record("b", "SUCCESS", ttl_s=5), Record("c", "SUCCESS", ttl_s=month)
    )
    clock.move(4)
    store(backend, Record("b", "SUCCESS", ttl_s=5))
    assert [one is not None for one in fetch(backend, "a", "b", "c")] == [True, True, True]
    clock.move(2)
    assert [one is not None for one in fetch(backend, "a", "b", "c")] == [False, True, True]
    store(backend, Record("b", "SUCCESS"))
    clock.move(month - 10)
    assert [one is not None for one in fetch(backend, "a", "b", "c")] == [False, True, True]
    clock.move(10)
    assert [one is not None for one in fetch(backend, "a", "b", "c")] == [False, True, False]


def test_expire_removes_what_is_over_in_bounded_steps(make_backend, clock):
    backend = make_backend(clock)
    store(backend, *[Record(str(n), "SUCCESS", ttl_s=5) for n in range(10)], Record("stay", "SUCCESS", ttl_s=50))
    backend.add("counter", 1, 5, soon())
    backend.join("join", "m", b"", 2, 5, soon())
    clock.move(6)
    assert backend.expire(clock.now, 4, soon()) == 4
    assert backend.expire(clock.now, 100, soon()) == 6
    assert backend.expire(clock.now, 100, soon()) == 0
    assert fetch(backend, "stay")[0] is not None


def test_wait_returns_at_once_when_ready(make_backend):
    backend = make_backend()
    store(backend, Record("a", "SUCCESS"), Record("b", "FAILURE"), Record("c", "STARTED"))
    assert [r.id for r in backend.wait(["b", "c", "a"], 2, soon())] == ["b", "a"]
    assert backend.wait([], 0, soon()) == []


def test_wait_is_woken_by_this_and_by_another_connection(make_backend):
    backend, other = make_backend(), make_backend()
    for number, writer in enumerate((backend, other)):
        key = f"id-{number}"
        timer = threading.Timer(0.1, store, (writer, Record(key, "SUCCESS")))
        timer.start()
        began = time.monotonic()
        assert [r.id for r in backend.wait([key, "other"], 1, soon(20))] == [key]
        assert time.monotonic() - began < 5
        timer.join()


def test_wait_keeps_its_deadline_and_gives_what_there_is(make_backend):
    backend = make_backend()
    store(backend, Record("a", "SUCCESS"), Record("b", "STARTED"))
    began = time.monotonic()
    assert [r.id for r in backend.wait(["b", "a"], 2, Deadline.after(0.2))] == ["a"]
    assert 0.2 <= time.monotonic() - began < 5


def test_an_idle_wait_leaves_the_cpu_alone(make_backend):
    backend = make_backend()
    began = time.process_time()
    assert backend.wait(["a"], 1, Deadline.after(1.0)) == []
    assert time.process_time() - began < 0.15


def test_no_wake_up_is_missed(make_backend):
    backend, other = make_backend(), make_backend()
    keys = [f"k{n}" for n in range(300)]
    thread = threading.Thread(target=lambda: [store(other, Record(key, "SUCCESS")) for key in keys])
    thread.start()
    began = time.monotonic()
    for key in keys:
        assert len(backend.wait([key], 1, soon(20))) == 1
    thread.join()
    assert time.monotonic() - began < 10


def test_waiting_for_a_thousand(make_backend):
    backend, other = make_backend(), make_backend()
    keys = [f"k{n}" for n in range(1000)]
    thread = threading.Thread(
        target=lambda: [store(other, *[Record(key, "SUCCESS") for key in keys[n : n + 50]]) for n in range(0, 1000, 50)]
    )
    thread.start()
    assert [r.id for r in backend.wait(keys, 1000, soon(30))] == keys
    thread.join()


def test_a_counter_is_exact_under_threads(make_backend):
    backend = make_backend()
    with ThreadPoolExecutor(16) as threads:
        seen = list(threads.map(lambda _: backend.add("c", 1, None, soon()), range(320)))
    assert sorted(seen) == list(range(1, 321))


def test_counter_edges(make_backend, clock):
    backend = make_backend(clock)
    assert backend.add("c", 0, None, soon()) == 0
    assert backend.add("c", -5, None, soon()) == -5
    assert backend.add("top", 2**63 - 1, None, soon()) == 2**63 - 1
    assert code(backend.add, "top", 1, None, soon()) is Code.INVALID
    assert backend.add("top", 0, None, soon()) == 2**63 - 1
    assert backend.add("brief", 7, 5, soon()) == 7
    clock.move(6)
    assert backend.add("brief", 1, 5, soon()) == 1


def test_a_join_is_won_once_with_all_payloads_in_order(make_backend):
    backend = make_backend()

    def report(number):
        return backend.join("j", f"m{number:02}", str(number).encode(), 80, None, soon(60))

    with ThreadPoolExecutor(16) as threads:
        states = list(threads.map(report, random.Random(2).sample(range(80), 80)))
    [winner] = [state for state in states if state.won]
    assert winner.payloads == tuple(str(n).encode() for n in range(80))
    assert sorted(state.count for state in states) == list(range(1, 81))
    assert {state.size for state in states} == {80}


def test_a_member_counts_once_and_late_ones_do_no_harm(make_backend):
    backend = make_backend()
    assert backend.join("j", "a", b"1", 2, 60, soon()) == JoinState(1, 2, won=False)
    assert backend.join("j", "a", b"other", 2, 60, soon()) == JoinState(1, 2, won=False)
    assert backend.join("j", "b", b"2", 2, 60, soon()) == JoinState(2, 2, won=True, payloads=(b"1", b"2"))
    assert backend.join("j", "b", b"2", 2, 60, soon()) == JoinState(2, 2, won=False)
    assert backend.join("j", "c", b"3", 2, 60, soon()) == JoinState(2, 2, won=False)
    assert backend.join("other", "c", b"3", 1, 60, soon()).won


def test_a_join_whose_winner_died_is_won_again_until_it_is_done(make_backend, clock):
    backend = make_backend(clock)
    assert backend.join("j", "a", b"1", 1, 60, soon()).won
    clock.move(CLAIM_S - 0.1)
    assert backend.join("j", "a", b"1", 1, 60, soon()) == JoinState(1, 1, won=False)
    clock.move(0.2)
    assert backend.join("j", "late", b"x", 1, 60, soon()) == JoinState(1, 1, won=True, payloads=(b"1",))
    backend.joined("j", 60, soon())
    clock.move(CLAIM_S + 1)
    assert backend.join("j", "a", b"1", 1, 60, soon()) == JoinState(1, 1, won=False, done=True)


def test_a_join_begins_anew_after_its_ttl_which_every_report_renews(make_backend, clock):
    backend = make_backend(clock)
    backend.join("j", "a", b"1", 3, 5, soon())
    clock.move(3)
    backend.join("j", "b", b"1", 3, 5, soon())
    clock.move(3)
    assert backend.join("j", "a", b"1", 3, 5, soon()) == JoinState(2, 3, won=False)
    clock.move(6)
    assert backend.join("j", "b", b"2", 2, 5, soon()) == JoinState(1, 2, won=False)
    assert backend.join("j", "c", b"3", 2, 5, soon()).payloads == (b"2", b"3")
    backend.joined("j", None, soon())
    clock.move(80_000)
    backend.expire(clock(), 1000, soon())
    assert backend.join("j", "c", b"3", 2, 5, soon()).done


def test_sixteen_threads_on_one_backend_do_not_mix(make_backend):
    backend = make_backend()

    def work(number):
        for turn in range(20):
            key = f"{number}-{turn}"
            store(backend, Record(key, "SUCCESS", key.encode()))
            assert fetch(backend, key)[0].result == key.encode()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(16)))


def test_names_that_cannot_be_stored_are_refused(make_backend, kind):
    backend = make_backend()
    bad = Record("\ud800", "SUCCESS")
    good, refused = backend.store([Record("a", "SUCCESS"), bad], StoreMode.UPSERT, soon())
    assert good.stored
    assert fetch(backend, "\ud800") == ([bad] if refused.stored else [None])
    assert backend.forget(["\ud800"], soon()) == refused.stored
    if kind == "sqlite":
        assert refused.error.code is Code.INVALID
        assert code(backend.add, "\ud800", 1, None, soon()) is Code.INVALID
        assert code(backend.join, "j", "\ud800", b"", 1, None, soon()) is Code.INVALID


def test_a_closed_backend_says_so_and_can_be_opened_again(make_backend):
    backend = make_backend()
    store(backend, Record("a", "SUCCESS"))
    backend.close(soon())
    backend.close(soon())
    for call in (
        lambda: store(backend, Record("b", "SUCCESS")),
        lambda: fetch(backend, "a"),
        lambda: backend.ping(soon()),
        lambda: backend.wait(["a"], 1, soon()),
        lambda: backend.add("c", 1, None, soon()),
    ):
        assert code(call) is Code.CLOSED
    backend.open(soon())
    backend.ping(soon())
    assert fetch(backend, "a")[0] is not None


def test_a_long_batch_is_stored_whole(make_backend):
    backend = make_backend()
    records = [replace(FULL, id=f"r{n}") for n in range(1500)]
    assert store(backend, *records) == [True] * 1500
    assert fetch(backend, *[r.id for r in records]) == records


def test_closing_ends_a_blocked_wait(make_backend):
    backend = make_backend()
    ended = threading.Event()

    def wait():
        with pytest.raises(DriverError):
            backend.wait(["a"], 1, soon(30))
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    backend.close(soon())
    assert ended.wait(5)
    thread.join()
