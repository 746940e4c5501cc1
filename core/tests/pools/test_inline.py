"""Pools solo and threads: the same duties, in one process."""

import threading
import time
from pathlib import Path

import pytest
from pools_fakes import Ear, Factory, FakeExecutor, Trivial, job, until

from kernel.builtins.pools.plugin import solo_plugin, threads_plugin
from kernel.builtins.pools.solo import SoloPool
from kernel.builtins.pools.threads import ThreadsPool
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Job, Pool, PoolOptions
from kernel.errors import SoftTimeLimitExceeded

Made = tuple[Pool, Ear]


@pytest.fixture
def make():
    pools: list[Pool] = []

    def build(kind: type[Pool], size: int = 2, factory=None, tell_starts: bool = False) -> Made:
        ear = Ear()
        pool = kind(PoolOptions(size=size), factory or Factory(), ear, tell_starts)
        pools.append(pool)
        pool.prepare()
        pool.start()
        return pool, ear

    before = set(threading.enumerate())
    yield build
    for pool in pools:
        pool.stop()
    until(lambda: set(threading.enumerate()) <= before)


both = pytest.mark.parametrize("kind", [SoloPool, ThreadsPool])


def drain(pool: Pool, jobs: list[Job], deadline: float = 60.0) -> None:
    end = time.monotonic() + deadline
    while jobs:
        assert time.monotonic() < end
        room = pool.room()
        if room:
            pool.submit(jobs[:room])
            del jobs[:room]
        else:
            time.sleep(0.001)
    assert pool.join(max(0.0, end - time.monotonic()))


@both
def test_everything_is_reported_once(kind: type[Pool], make) -> None:
    pool, ear = make(kind)
    drain(pool, [job(tag, "value", tag) for tag in range(500)])
    assert {tag: ear.value(tag) for tag in ear.reports} == {tag: ("value", tag) for tag in range(500)}
    assert pool.outstanding() == frozenset()
    assert pool.stats()["writes"] == {"total": 500}


@both
def test_short_tasks_are_committed_in_groups(kind: type[Pool], make) -> None:
    pool, ear = make(kind, size=1)
    drain(pool, [job(tag, "value") for tag in range(2000)])
    assert max(report.detail["group"] for report in ear.reports.values()) > 5


@both
def test_urgent_work_is_committed_alone(kind: type[Pool], make) -> None:
    pool, ear = make(kind, size=1, factory=Factory(urgent=True))
    drain(pool, [job(tag, "value") for tag in range(300)])
    assert {report.detail["group"] for report in ear.reports.values()} == {1}


@both
def test_a_soft_limit_is_raised_in_the_body(kind: type[Pool], make) -> None:
    pool, ear = make(kind)
    assert kind.capabilities().soft_limit
    pool.submit([job(1, "nap", 30, soft=0.05)])
    ear.wait_for_tags(1)
    assert ear.reports[1].state == "FAILURE"
    assert isinstance(ear.value(1), SoftTimeLimitExceeded)
    assert ear.value(1).args == (0.05,)


@both
def test_an_async_body_is_limited_too(kind: type[Pool], make) -> None:
    pool, ear = make(kind)
    pool.submit([job(1, "asleep", 30, soft=0.05)])
    ear.wait_for_tags(1)
    assert isinstance(ear.value(1), SoftTimeLimitExceeded)


@both
@pytest.mark.parametrize(
    ("what", "reason"), [("run", "broken run"), ("commit", "the disk is full"), ("length", "gave 0 reports")]
)
def test_a_broken_executor_releases_the_job(
    kind: type[Pool], what: str, reason: str, make, caplog: pytest.LogCaptureFixture
) -> None:
    pool, ear = make(kind)
    pool.submit([job(1, "break", what)])
    ear.wait_for_tags(1)
    assert ear.reports[1].settlement is SettleKind.RELEASE
    assert reason in ear.reports[1].reason
    pool.submit([job(2, "value")])
    ear.wait_for_tags(2)
    assert ear.reports[2].settlement is SettleKind.ACK
    assert "Traceback" in caplog.text


@both
def test_starts_are_told_when_wanted(kind: type[Pool], make) -> None:
    pool, ear = make(kind, tell_starts=True)
    pool.submit([job(1, "value")])
    ear.wait_for_tags(1)
    assert abs(ear.starts[1][1] - time.time()) < 60


@both
def test_nothing_can_be_terminated(kind: type[Pool], make) -> None:
    pool, _ = make(kind)
    caps = kind.capabilities()
    assert not pool.terminate(1, 15)
    assert caps.claimed() - {"resize"} == {"soft_limit"}


@both
def test_executor_is_closed_at_the_end(kind: type[Pool], tmp_path) -> None:
    trace = tmp_path / "trace"
    pool = kind(PoolOptions(size=2), Factory(str(trace)), Ear())
    pool.prepare()
    pool.start()
    pool.stop()
    assert [line.split()[0] for line in trace.read_text().splitlines()] == ["open", "close"]


@both
def test_stop_without_start(kind: type[Pool]) -> None:
    kind(PoolOptions(), Factory(), Ear()).stop()


def test_solo_runs_in_the_callers_thread(make) -> None:
    pool, ear = make(SoloPool)
    pool.submit([job(1, "thread")])
    assert ear.value(1) == threading.current_thread().name


def test_solo_off_the_main_thread_limits_too(make) -> None:
    pool, ear = make(SoloPool)
    thread = threading.Thread(target=pool.submit, args=([job(1, "nap", 30, soft=0.05)],))
    thread.start()
    thread.join(20)
    assert isinstance(ear.value(1), SoftTimeLimitExceeded)


def test_solo_gives_back_what_has_not_begun(make) -> None:
    pool, ear = make(SoloPool)
    thread = threading.Thread(target=pool.submit, args=([job(1, "sleep", 0.3), job(2, "value"), job(3, "value")],))
    thread.start()
    until(lambda: len(pool._waiting) == 2)
    assert pool.withdraw() == [2, 3]
    assert pool.outstanding() == {1}
    assert pool.join(20)
    thread.join(20)
    assert set(ear.reports) == {1}


def test_threads_run_side_by_side(make, tmp_path: Path) -> None:
    pool, ear = make(ThreadsPool, size=8)
    pool.submit([job(tag, "meet", str(tmp_path), 8) for tag in range(8)])
    assert pool.room() == 0
    ear.wait_for_tags(*range(8))
    assert {ear.value(tag) for tag in range(8)} == {8}


def test_threads_hand_short_work_out_in_bulk_but_not_behind_long_work(make) -> None:
    pool, ear = make(ThreadsPool, size=2)
    assert pool.room() == 2
    drain(pool, [job(tag, "value") for tag in range(500)])
    assert pool.room() > 2
    pool.submit([job(1001, "sleep", 0.5, task="long"), job(1002, "sleep", 0.5, task="long")])
    assert pool.room() == 0
    ear.wait_for_tags(1001, 1002)


def test_finished_work_does_not_wait_behind_a_body_that_is_longer_than_expected(make) -> None:
    pool, ear = make(ThreadsPool, size=1)
    drain(pool, [job(tag, "value") for tag in range(500)])
    pool.submit([job(1001, "value"), job(1002, "sleep", 2.0)])
    ear.wait_for_tags(1001)
    assert 1002 not in ear.reports
    assert pool.join(20)


def test_threads_give_back_what_has_not_begun(make) -> None:
    pool, ear = make(ThreadsPool, size=1, tell_starts=True)
    pool.submit([job(1, "sleep", 0.3), job(2, "value"), job(3, "value")])
    ear.wait(lambda: 1 in ear.starts)
    assert pool.withdraw() == [2, 3]
    assert pool.join(20)
    assert set(ear.reports) == {1}


def test_threads_stop_in_the_middle_of_bodies(make) -> None:
    ear = Ear()
    pool = ThreadsPool(PoolOptions(size=2), Factory(), ear, tell_starts=True)
    pool.prepare()
    pool.start()
    pool.submit([job(1, "nap", 30), job(2, "nap", 30)])
    ear.wait(lambda: len(ear.starts) == 2)
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 20
    assert not ear.reports
    assert pool.outstanding() == {1, 2}


def test_join_gives_up_in_time(make) -> None:
    pool, _ = make(ThreadsPool, size=1)
    pool.submit([job(1, "sleep", 0.4)])
    assert not pool.join(0.01)
    assert pool.join(20)


@both
def test_many_jobs_pass(kind: type[Pool], make) -> None:
    pool, ear = make(kind, factory=Trivial)
    drain(pool, [job(tag) for tag in range(5000)])
    assert len(ear.reports) == 5000


def test_plugins_name_their_pools() -> None:
    for plugin, kind in ((solo_plugin, SoloPool), (threads_plugin, ThreadsPool)):
        assert plugin.kernel_pools() == {kind.name: kind}
        assert plugin.kernel_manifest().name == f"pool.{kind.name}"
        assert plugin.kernel_manifest().contracts == {"pool": "1.0"}
    assert isinstance(Factory()(), FakeExecutor)
