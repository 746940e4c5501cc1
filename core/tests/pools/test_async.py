"""Pool async: thousands at once, limits by cancellation, and a loop that says when it is blocked."""

import asyncio
import logging
import threading
import time
from pathlib import Path

import pytest
from pools_fakes import Ear, Factory, FakeExecutor, Trivial, job, until

from kernel.builtins.pools.async_ import AsyncPool
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Job, LossCause, PoolOptions
from kernel.errors import SoftTimeLimitExceeded

Made = tuple[AsyncPool, Ear]


@pytest.fixture
def make():
    pools: list[AsyncPool] = []

    def build(size: int = 10, factory=None, tell_starts: bool = False) -> Made:
        ear = Ear()
        pool = AsyncPool(PoolOptions(size=size), factory or Factory(), ear, tell_starts)
        pools.append(pool)
        pool.prepare()
        pool.start()
        return pool, ear

    before = set(threading.enumerate())
    yield build
    for pool in pools:
        pool.stop()
    until(lambda: set(threading.enumerate()) <= before)


def drain(pool: AsyncPool, jobs: list[Job], deadline: float = 60.0) -> None:
    end = time.monotonic() + deadline
    while jobs:
        assert time.monotonic() < end
        if room := pool.room():
            pool.submit(jobs[:room])
            del jobs[:room]
        else:
            time.sleep(0.001)
    assert pool.join(max(0.0, end - time.monotonic()))


def test_a_thousand_sleep_at_once(make) -> None:
    pool, ear = make(size=1000)
    began = time.monotonic()
    pool.submit([job(tag, "asleep", 0.2) for tag in range(1000)])
    assert pool.join(20)
    assert time.monotonic() - began < 5
    assert len(ear.reports) == 1000
    assert pool.outstanding() == frozenset()
    assert max(report.detail["group"] for report in ear.reports.values()) > 1


def test_no_more_than_size_at_once(make) -> None:
    pool, ear = make(size=3, tell_starts=True)
    pool.submit([job(tag, "asleep", 0.3) for tag in range(9)])
    assert pool.room() == 0
    ear.wait(lambda: len(ear.starts) == 3)
    assert pool.stats()["running"] == 3
    assert pool.join(20)
    times = sorted(at for _, at in ear.starts.values())
    assert times[3] - times[0] > 0.2
    assert times[6] - times[3] > 0.2


def test_short_tasks_pass_in_numbers(make) -> None:
    pool, ear = make(size=4, factory=Trivial)
    drain(pool, [job(tag) for tag in range(5000)])
    assert len(ear.reports) == 5000
    assert pool.stats()["writes"] == {"total": 5000}


def test_plain_functions_run_in_threads(make, tmp_path: Path) -> None:
    pool, ear = make(size=8)
    pool.submit([job(tag, "plain", "meet", str(tmp_path), 8) for tag in range(8)])
    assert pool.join(20)
    assert {tag: ear.value(tag) for tag in ear.reports} == dict.fromkeys(range(8), 8)


@pytest.mark.parametrize("payload", [("asleep", 60), ("plain", "nap", 60)])
def test_a_soft_limit_is_raised_in_the_body(payload, make) -> None:
    pool, ear = make()
    pool.submit([job(1, *payload, soft=0.1)])
    ear.wait_for_tags(1)
    assert isinstance(ear.value(1), SoftTimeLimitExceeded)
    assert ear.value(1).args == (0.1,)


def test_a_hard_limit_cancels_the_body(make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "asleep", 60, hard=0.1), job(2, "value")])
    assert pool.join(20)
    assert ear.losses[1].cause is LossCause.HARD_LIMIT
    assert ear.losses[1].runtime_s >= 0.1
    assert set(ear.reports) == {2}


def test_a_body_that_resists_is_lost_at_once_and_keeps_its_place(make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "adefiant", 3, hard=0.1)])
    ear.wait_for_tags(1)
    assert ear.losses[1].cause is LossCause.HARD_LIMIT
    assert pool.outstanding() == frozenset()
    assert pool.room() == 0
    until(lambda: pool.room() == 1)  # asked again every second
    assert ear.rooms >= 1
    assert not ear.reports


def test_a_body_in_time_is_left_alone(make) -> None:
    pool, ear = make()
    pool.submit([job(1, "asleep", 0.05, soft=5, hard=10)])
    assert pool.join(20)
    assert ear.value(1) == 0.05


def test_terminate_cancels(make) -> None:
    pool, ear = make(size=1, tell_starts=True)
    pool.submit([job(1, "asleep", 60), job(2, "value")])
    ear.wait(lambda: 1 in ear.starts)
    assert not pool.terminate(2, 15)
    assert pool.terminate(1, 15)
    assert pool.join(20)
    assert ear.losses[1].cause is LossCause.TERMINATED
    assert set(ear.reports) == {2}
    assert not pool.terminate(1, 15)


def test_withdraw_takes_back_what_has_not_begun(make) -> None:
    pool, ear = make(size=2, tell_starts=True)
    pool.submit([job(tag, "asleep", 0.3) for tag in range(6)])
    ear.wait(lambda: len(ear.starts) == 2)
    assert pool.withdraw() == [2, 3, 4, 5]
    assert pool.outstanding() == {0, 1}
    assert pool.join(20)
    assert set(ear.reports) == {0, 1}


@pytest.mark.parametrize(
    ("what", "reason"), [("run", "broken run"), ("commit", "the disk is full"), ("length", "gave 0 reports")]
)
def test_a_broken_executor_releases_the_job(what: str, reason: str, make, caplog: pytest.LogCaptureFixture) -> None:
    pool, ear = make()
    pool.submit([job(1, "break", what)])
    ear.wait_for_tags(1)
    assert ear.reports[1].settlement is SettleKind.RELEASE
    assert reason in ear.reports[1].reason
    pool.submit([job(2, "value")])
    ear.wait_for_tags(2)
    assert ear.reports[2].settlement is SettleKind.ACK
    assert "Traceback" in caplog.text


def test_a_blocked_loop_is_named_with_the_place(make, caplog: pytest.LogCaptureFixture) -> None:
    pool, ear = make()
    with caplog.at_level(logging.WARNING):
        pool.submit([job(1, "awake", "sleep", 1.6)])
        ear.wait_for_tags(1)
        until(lambda: "goes on" in caplog.text)
    assert "asyncio.to_thread" in caplog.text
    assert "time.sleep(seconds)" in caplog.text
    assert caplog.text.count("has been blocked") == 1


def test_an_idle_or_waiting_loop_is_not_called_blocked(make, caplog: pytest.LogCaptureFixture) -> None:
    pool, ear = make()
    pool.submit([job(1, "asleep", 1.5)])
    ear.wait_for_tags(1)
    assert "blocked" not in caplog.text


def test_stop_cancels_what_runs(make) -> None:
    ear = Ear()
    pool = AsyncPool(PoolOptions(size=5), Factory(), ear, tell_starts=True)
    pool.prepare()
    pool.start()
    pool.submit([job(tag, "asleep", 60) for tag in range(9)])
    ear.wait(lambda: len(ear.starts) == 5)
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 10
    assert not ear.reports
    assert not ear.losses
    assert pool.outstanding() == set(range(9))


def test_stop_of_a_blocked_loop(make, caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear()
    pool = AsyncPool(PoolOptions(size=5), Factory(), ear, tell_starts=True)
    pool.prepare()
    pool.start()
    pool.submit([job(1, "awake", "nap", 60)])
    ear.wait(lambda: 1 in ear.starts)
    pool.stop()
    assert not ear.reports
    assert "kernel-pool-loop" not in {thread.name for thread in threading.enumerate()}


def test_stop_before_start() -> None:
    AsyncPool(PoolOptions(), Factory(), Ear()).stop()


def test_the_executor_is_opened_and_closed(tmp_path) -> None:
    trace = tmp_path / "trace"
    pool = AsyncPool(PoolOptions(), Factory(str(trace)), Ear())
    pool.prepare()
    pool.start()
    pool.stop()
    assert [line.split()[0] for line in trace.read_text().splitlines()] == ["open", "close"]


class OwnContext(FakeExecutor):
    """Notes the loop each body runs on."""

    async def run_async(self, job: Job, limiter):
        return self.done(job, id(asyncio.get_running_loop()))


def test_all_bodies_share_one_loop(make) -> None:
    pool, ear = make(factory=OwnContext)
    drain(pool, [job(tag) for tag in range(20)])
    assert len({ear.value(tag) for tag in range(20)}) == 1


def test_capabilities() -> None:
    assert AsyncPool.capabilities().claimed() == {"hard_limit", "soft_limit", "terminate"}
