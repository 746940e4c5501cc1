"""Pool prefork: what is lost, what goes on, what is limited, and that nothing is left."""

import errno
import logging
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from pools_fakes import Ear, Factory, FailingFactory, Trivial, job, until

from kernel.builtins.pools.prefork import PreforkPool
from kernel.builtins.pools.prefork_child import resident_kib
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Job, LossCause, PoolOptions
from kernel.errors import ImproperlyConfigured, SoftTimeLimitExceeded, WorkerLostError

Made = tuple[PreforkPool, Ear]


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descriptors() -> set[str]:
    return {f"{path.name} {path.readlink()}" for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


@pytest.fixture
def make():
    pools: list[PreforkPool] = []

    def build(size: int = 2, factory=None, tell_starts: bool = False, **options: object) -> Made:
        ear = Ear()
        chosen = PoolOptions(size=size, **options)  # type: ignore[arg-type] # tests give what they need
        pool = PreforkPool(chosen, factory or Factory(), ear, tell_starts)
        pools.append(pool)
        pool.prepare()
        pool.start()
        until(lambda: len(pids(pool)) == size)
        return pool, ear

    threads, files = threading.active_count(), descriptors()
    yield build
    seen = [each for pool in pools for each in [*pids(pool), pool._nursery]]
    for pool in pools:
        pool.stop()
    until(lambda: not any(map(alive, seen)), timeout=5)  # a child without nursery closes its pipe before it is gone
    assert threading.active_count() == threads
    assert descriptors() == files


def pids(pool: PreforkPool) -> list[int]:
    found = pool.stats()["processes"]
    assert isinstance(found, list)
    return found


def drain(pool: PreforkPool, jobs: list[Job], deadline: float = 60.0) -> None:
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


def make_short(pool: PreforkPool, ear: Ear, first: int = 10_000) -> None:
    """Teach the pool that task "t" is short."""
    drain(pool, [job(tag, "value") for tag in range(first, first + 400)])
    ear.reports.clear()
    assert pool.room() > 2


def test_everything_is_reported_once(make) -> None:
    pool, ear = make()
    drain(pool, [job(tag, "value", tag) for tag in range(3000)])
    assert {tag: ear.value(tag) for tag in ear.reports} == {tag: ("value", tag) for tag in range(3000)}
    assert pool.outstanding() == frozenset()
    assert pool.stats()["writes"] == {"total": 3000}
    assert max(report.detail["group"] for report in ear.reports.values()) > 5
    assert not ear.losses


def test_bodies_run_in_children_side_by_side(make, tmp_path: Path) -> None:
    pool, ear = make(size=2)
    pool.submit([job(1, "meet", str(tmp_path), 3), job(2, "meet", str(tmp_path), 3)])
    assert pool.room() == 0
    until(lambda: len(list(tmp_path.iterdir())) == 2, 60)
    (tmp_path / "the third").touch()
    ear.wait_for_tags(1, 2)
    assert {ear.value(1), ear.value(2)} == {3}
    pool.submit([job(3, "pid")])
    ear.wait_for_tags(3)
    assert ear.value(3) in pids(pool)
    assert ear.value(3) != os.getpid()


def test_urgent_work_is_committed_alone(make) -> None:
    pool, ear = make(size=1, factory=Factory(urgent=True))
    drain(pool, [job(tag, "value") for tag in range(300)])
    assert {report.detail["group"] for report in ear.reports.values()} == {1}


def test_starts_are_told_before_the_end(make) -> None:
    pool, ear = make(tell_starts=True)
    pool.submit([job(1, "sleep", 1.0), job(2, "value")])
    ear.wait(lambda: 1 in ear.starts)
    assert 1 not in ear.reports
    ear.wait_for_tags(1, 2)
    assert ear.starts[1][0] in pids(pool)
    assert abs(ear.starts[1][1] - time.time()) < 60


def test_nothing_opened_in_the_node_is_open_in_a_child(make, tmp_path: Path) -> None:
    pool, ear = make(size=3)
    pool.submit([job(1, "fds")])
    ear.wait_for_tags(1)
    sockets = [name for name in ear.value(1).values() if name.startswith("socket:")]
    ours = {name.split()[1] for name in descriptors()}
    assert len(set(sockets) - ours) == 1  # its own pipe, and nobody else's
    assert not {name for name in ear.value(1).values() if name.startswith("pipe:")} - ours


# Losing children


def test_a_killed_child_loses_exactly_the_job_it_ran(make, tmp_path: Path) -> None:
    pool, ear = make(size=2)
    make_short(pool, ear)
    before = set(pids(pool))
    mark = tmp_path / "pid"
    jobs = [job(tag, "value") for tag in range(100)]
    jobs[50] = job(50, "touch", str(mark), ("sleep", 60))
    pool.submit(jobs)
    until(lambda: mark.exists() and mark.read_text())
    victim = int(mark.read_text())
    ear.wait_for_tags(*range(50))  # finished before it, committed while it runs
    os.kill(victim, signal.SIGKILL)
    assert pool.join(20)
    assert set(ear.losses) == {50}
    loss = ear.losses[50]
    assert (loss.cause, loss.exitcode, loss.pid) == (LossCause.EXITED, -signal.SIGKILL, victim)
    assert 0 < loss.runtime_s < 60
    assert set(ear.reports) == set(range(100)) - {50}
    until(lambda: len(pids(pool)) == 2)
    assert len(set(pids(pool)) & before) == 1


def test_a_child_killed_at_once_loses_only_what_had_begun(make) -> None:
    pool, ear = make(size=1)
    make_short(pool, ear)
    jobs = [job(tag, "value") for tag in range(40)]
    jobs[20] = job(20, "kill", signal.SIGKILL)
    pool.submit(jobs)
    assert pool.join(20)
    assert ear.losses[20].cause is LossCause.EXITED
    # what it had finished without a commit is lost with it; what stood behind ran elsewhere
    assert set(ear.reports) | set(ear.losses) == set(range(40))
    assert set(range(21, 40)) <= set(ear.reports)
    assert all(ear.losses[tag].runtime_s == 0.0 for tag in ear.losses if tag != 20)


def test_finished_work_survives_the_death_of_a_long_body(make, tmp_path: Path) -> None:
    pool, ear = make(size=1)
    make_short(pool, ear)
    mark = tmp_path / "pid"
    pool.submit([job(1, "value"), job(2, "value"), job(3, "touch", str(mark), ("sleep", 60))])
    ear.wait_for_tags(1, 2)
    assert 3 not in ear.reports
    until(lambda: mark.exists() and mark.read_text())
    os.kill(int(mark.read_text()), signal.SIGKILL)
    assert pool.join(20)
    assert set(ear.losses) == {3}


def test_a_child_that_exits_by_itself(make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "kill", signal.SIGTERM)])
    ear.wait_for_tags(1)
    assert ear.losses[1].exitcode == -signal.SIGTERM
    pool.submit([job(2, "value")])
    assert pool.join(20)
    assert 2 in ear.reports


def test_an_idle_child_that_is_killed_is_replaced(make) -> None:
    pool, ear = make(size=1)
    (victim,) = pids(pool)
    os.kill(victim, signal.SIGKILL)
    until(lambda: pids(pool) not in ([victim], []))
    pool.submit([job(1, "value")])
    assert pool.join(20)
    assert not ear.losses


def test_children_killed_at_random_lose_no_job_and_repeat_none(make) -> None:
    pool, ear = make(size=3)
    left = [job(tag, "value") if tag % 100 else job(tag, "sleep", 0.01) for tag in range(6000)]
    chance = random.Random(7)
    end = time.monotonic() + 90
    kills = 0
    while left:
        assert time.monotonic() < end
        if room := pool.room():
            pool.submit(left[:room])
            del left[:room]
        else:
            time.sleep(0.0005)
        if len(left) < 6000 - 500 * kills and (found := pids(pool)):
            os.kill(chance.choice(found), signal.SIGKILL)
            kills += 1
    assert pool.join(60)
    assert kills > 5
    assert set(ear.reports) | set(ear.losses) == set(range(6000))
    assert not set(ear.reports) & set(ear.losses)


def test_a_stopped_child_delays_only_its_own_job(make) -> None:
    pool, ear = make(size=2, tell_starts=True)
    make_short(pool, ear)
    pool.submit([job(1, "sleep", 0.5)])
    ear.wait(lambda: 1 in ear.starts)
    pid = ear.starts[1][0]
    os.kill(pid, signal.SIGSTOP)
    assert pool._crew is not None
    until(lambda: any(hand.stuck(time.monotonic()) for hand in pool._crew.hands.values()))
    drain_some = [job(tag, "value") for tag in range(10, 200)]
    while drain_some:
        room = pool.room()
        pool.submit(drain_some[:room])
        del drain_some[:room]
        time.sleep(0.001)
    ear.wait_for_tags(*range(10, 200))
    assert 1 not in ear.reports
    os.kill(pid, signal.SIGCONT)
    assert pool.join(20)
    assert set(ear.reports) == {1, *range(10, 200)}


def test_bodies_larger_than_a_pipe_pass_in_both_directions(make) -> None:
    pool, ear = make(size=2)
    make_short(pool, ear)
    drain(pool, [job(tag, "value", bytes([tag]) * 3_000_000) for tag in range(40)])
    assert all(ear.value(tag) == ("value", bytes([tag]) * 3_000_000) for tag in range(40))


# Limits


def test_a_hard_limit_kills_the_child_and_the_pool_goes_on(make) -> None:
    pool, ear = make(size=2)
    began = time.monotonic()
    pool.submit([job(1, "sleep", 60, hard=0.3), job(2, "value")])
    ear.wait_for_tags(1, 2)
    assert ear.losses[1].cause is LossCause.HARD_LIMIT
    assert ear.losses[1].runtime_s >= 0.3
    assert time.monotonic() - began < 15
    pool.submit([job(3, "sleep", 60, hard=0.2), job(4, "sleep", 0.4, hard=30)])
    assert pool.join(20)
    assert ear.losses[3].cause is LossCause.HARD_LIMIT
    assert 4 in ear.reports


def test_a_hard_limit_counts_from_the_start_of_the_body(make) -> None:
    pool, ear = make(size=1)
    make_short(pool, ear)
    pool.submit([job(1, "sleep", 0.6, hard=30), job(2, "sleep", 0.6, hard=1.1), job(3, "sleep", 60, hard=0.3)])
    assert pool.join(20)
    assert set(ear.reports) == {1, 2}
    assert ear.losses[3].cause is LossCause.HARD_LIMIT


def test_a_hard_limit_ends_code_that_holds_the_interpreter(make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "hold", hard=0.3)])
    ear.wait_for_tags(1)
    assert ear.losses[1].cause is LossCause.HARD_LIMIT


@pytest.mark.parametrize("kind", [("sleep",), ("spin",), ("asleep",), ("awake", "sleep")])
def test_a_soft_limit_is_raised_in_the_body(kind: tuple[str, ...], make) -> None:
    pool, ear = make(size=1)
    (pid,) = pids(pool)
    pool.submit([job(1, *kind, 60, soft=0.2, hard=50)])
    ear.wait_for_tags(1)
    assert isinstance(ear.value(1), SoftTimeLimitExceeded)
    assert ear.value(1).args == (0.2,)
    pool.submit([job(2, "sleep", 0.4), job(3, "pid")])
    assert pool.join(20)
    assert ear.value(3) == pid


def test_a_body_may_survive_its_soft_limit(make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "stubborn", 60, soft=0.2)])
    ear.wait_for_tags(1)
    assert ear.value(1) == "cleaned up"


# Replacement


def test_children_are_replaced_after_their_number_of_tasks(make) -> None:
    pool, ear = make(size=2, max_tasks_per_child=10)
    drain(pool, [job(tag, "pid") for tag in range(205)])
    per_pid: dict[int, int] = {}
    for tag in ear.reports:
        per_pid[ear.value(tag)] = per_pid.get(ear.value(tag), 0) + 1
    assert sum(per_pid.values()) == 205
    assert max(per_pid.values()) == 10
    assert not ear.losses


def test_children_are_replaced_after_each_task(make) -> None:
    pool, ear = make(size=1, max_tasks_per_child=1)
    drain(pool, [job(tag, "pid") for tag in range(12)])
    assert len({ear.value(tag) for tag in ear.reports}) == 12
    assert not ear.losses


def test_children_that_grow_are_replaced(make) -> None:
    pool, ear = make(size=1, max_memory_per_child_kib=resident_kib() + 100_000)
    pool.submit([job(1, "pid")])
    ear.wait_for_tags(1)
    pool.submit([job(2, "grow", 200)])
    ear.wait_for_tags(2)
    assert ear.value(1) == ear.value(2)
    drain(pool, [job(tag, "pid") for tag in range(3, 40)])
    assert ear.value(3) != ear.value(2)
    assert not ear.losses


def test_an_executor_is_closed_when_its_child_is_replaced(make, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pool, _ = make(size=1, factory=Factory(str(trace)), max_tasks_per_child=1)
    drain(pool, [job(1, "value"), job(2, "value")])
    until(lambda: trace.read_text().count("close") == 2)


# Recall and withdrawal


def test_jobs_behind_a_surprise_are_given_to_others(make, tmp_path: Path) -> None:
    pool, ear = make(size=2)
    make_short(pool, ear)
    jobs = [job(tag, "value") for tag in range(60)]
    jobs[0] = job(0, "wait_for", str(tmp_path / "enough"))
    pool.submit(jobs)
    ear.wait_for_tags(*range(1, 60))
    assert 0 not in ear.reports
    (tmp_path / "enough").touch()
    assert pool.join(20)


def test_jobs_behind_surprises_everywhere_wait_for_the_first_free_child(make) -> None:
    pool, ear = make(size=2)
    make_short(pool, ear)
    jobs = [job(tag, "value") for tag in range(60)]
    jobs[0], jobs[1] = job(0, "sleep", 1.0), job(1, "sleep", 30.0)
    pool.submit(jobs)
    ear.wait_for_tags(0, *range(2, 60))
    assert 1 not in ear.reports
    assert pool.room() >= 1


def test_jobs_behind_a_commit_that_hangs_are_given_to_others(make, tmp_path: Path) -> None:
    pool, ear = make(size=2)
    make_short(pool, ear)
    jobs = [job(tag, "value") for tag in range(60)]
    jobs[0] = job(0, "lag", str(tmp_path / "enough"))
    pool.submit(jobs)
    ear.wait_for_tags(*range(1, 60))
    assert 0 not in ear.reports
    (tmp_path / "enough").touch()
    assert pool.join(20)


def test_a_busy_child_has_no_room_however_short_its_task_was_thought(make) -> None:
    pool, ear = make(size=1)
    make_short(pool, ear)
    pool.submit([job(1, "sleep", 1.0)])
    until(lambda: pool.room() == 0)
    assert pool.join(20)
    assert pool.room() >= 1


def test_withdraw_takes_back_what_has_not_begun(make) -> None:
    pool, ear = make(size=2, tell_starts=True)
    make_short(pool, ear)
    ear.starts.clear()
    pool.submit([job(tag, "sleep", 1.0) for tag in range(40)])
    ear.wait(lambda: len(ear.starts) == 2)
    running = set(ear.starts)
    taken = set(pool.withdraw())
    assert taken == set(range(40)) - running
    assert pool.outstanding() == running
    assert pool.join(20)
    assert set(ear.reports) == running


def test_withdraw_of_nothing(make) -> None:
    pool, _ = make()
    assert pool.withdraw() == []


# Ending


def test_terminate_ends_a_running_job_only(make) -> None:
    pool, ear = make(size=1, tell_starts=True)
    pool.submit([job(1, "sleep", 60)])
    ear.wait(lambda: 1 in ear.starts)
    pool.submit([job(2, "value")])
    assert not pool.terminate(2, signal.SIGTERM)
    assert not pool.terminate(77, signal.SIGTERM)
    assert pool.terminate(1, signal.SIGTERM)
    assert pool.join(20)
    assert (ear.losses[1].cause, ear.losses[1].exitcode) == (LossCause.TERMINATED, -signal.SIGTERM)
    assert set(ear.reports) == {2}
    assert not pool.terminate(1, signal.SIGTERM)


def test_terminate_with_a_signal_children_ignore(make) -> None:
    pool, ear = make(size=1, tell_starts=True)
    pool.submit([job(1, "sleep", 60)])
    ear.wait(lambda: 1 in ear.starts)
    assert pool.terminate(1, signal.SIGINT)
    ear.wait_for_tags(1)
    assert ear.losses[1].cause is LossCause.TERMINATED


def test_children_ignore_the_terminal(make) -> None:
    pool, ear = make(size=1, tell_starts=True)
    pool.submit([job(1, "sleep", 0.5)])
    ear.wait(lambda: 1 in ear.starts)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        os.kill(ear.starts[1][0], number)
        os.kill(pool._nursery, number)
    os.kill(pool._nursery, signal.SIGTERM)
    ear.wait_for_tags(1)
    assert 1 in ear.reports


def test_stop_ends_running_bodies_by_force_and_idle_ones_orderly(make, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pool, ear = make(size=2, factory=Factory(str(trace)), tell_starts=True)
    pool.submit([job(1, "sleep", 60)])
    ear.wait(lambda: 1 in ear.starts)
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 12
    assert trace.read_text().count("close") == 1
    assert pool.outstanding() == {1}
    assert not ear.losses


def test_stop_before_anything() -> None:
    PreforkPool(PoolOptions(), Factory(), Ear()).stop()


def test_stop_after_prepare_leaves_nothing() -> None:
    files = descriptors()
    pool = PreforkPool(PoolOptions(), Factory(), Ear())
    pool.prepare()
    nursery = pool._nursery
    assert pool.withdraw() == []
    assert pool.outstanding() == frozenset()
    assert pool.join(1.0)
    pool.stop()
    assert not alive(nursery)
    assert descriptors() == files


# Failing executors


@pytest.mark.parametrize(
    ("what", "reason"), [("run", "broken run"), ("commit", "the disk is full"), ("length", "gave 0 reports")]
)
def test_a_broken_executor_releases_the_job(what: str, reason: str, make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "break", what), job(2, "value")])
    assert pool.join(20)
    assert ear.reports[1].settlement is SettleKind.RELEASE
    assert reason in ear.reports[1].reason


def test_a_job_that_cannot_be_pickled_is_released(make) -> None:
    pool, ear = make(size=1)
    make_short(pool, ear)
    pool.submit([job(1, "value"), job(2, "value", lambda: None), job(3, "value")])
    assert pool.join(20)
    assert ear.reports[2].settlement is SettleKind.RELEASE
    assert {ear.reports[tag].settlement for tag in (1, 3)} == {SettleKind.ACK}


def test_a_report_that_cannot_be_pickled_is_heard_without_details(make) -> None:
    pool, ear = make(size=1)
    pool.submit([job(1, "raise", UnpicklableError()), job(2, "value")])
    assert pool.join(20)
    assert ear.reports[1].settlement is SettleKind.ACK
    assert ear.reports[1].detail == {}
    assert ear.reports[1].log is not None
    assert ear.reports[1].log[0] == logging.ERROR
    assert ear.value(2) == ("value",)


class UnpicklableError(Exception):
    """Travels to the child but not back."""

    def __reduce__(self) -> object:
        return (raise_lambda, ())


def raise_lambda() -> Exception:
    error = ValueError("from the child")
    error.args = (lambda: None,)
    return error


def test_no_child_ever_gets_ready(caplog: pytest.LogCaptureFixture) -> None:
    files = descriptors()
    pool = PreforkPool(PoolOptions(size=2), FailingFactory(), Ear())
    pool.prepare()
    with pytest.raises(WorkerLostError, match="No module named 'missing'") as caught:
        pool.start()
    assert "solo" in caught.value.cure
    pool.stop()
    assert descriptors() == files
    assert "5 times in a row" in caplog.text


def test_a_fork_that_fails_is_tried_again(make, monkeypatch: pytest.MonkeyPatch) -> None:
    fork, calls = os.fork, []

    def scarce() -> int:
        calls.append(1)
        if len(calls) in (2, 3):  # the first one makes the nursery, which inherits this
            raise BlockingIOError(errno.EAGAIN, "no processes left")
        return fork()

    monkeypatch.setattr(os, "fork", scarce)
    pool, ear = make(size=1)
    pool.submit([job(1, "value")])
    assert pool.join(20)
    assert 1 in ear.reports


def test_children_that_die_while_starting() -> None:
    pool = PreforkPool(PoolOptions(size=1), FailingFactory(exitcode=3), Ear())
    pool.prepare()
    with pytest.raises(WorkerLostError, match="exit code 3"):
        pool.start()
    pool.stop()


def test_children_that_hang_while_starting() -> None:
    pool = PreforkPool(PoolOptions(size=2, start_timeout_s=0.1), FailingFactory(hangs=True), Ear())
    pool.prepare()
    with pytest.raises(WorkerLostError, match=r"not ready within 0\.1 s"):
        pool.start()
    pool.stop()


def test_without_its_nursery_the_pool_says_so(make, caplog: pytest.LogCaptureFixture) -> None:
    pool, ear = make(size=2, tell_starts=True)
    pool.submit([job(1, "sleep", 1.0), job(2, "sleep", 60)])
    ear.wait(lambda: len(ear.starts) == 2)
    os.kill(pool._nursery, signal.SIGKILL)
    ear.wait_for_tags(1)
    with pytest.raises(WorkerLostError, match="nursery"):
        pool.room()
    assert "nursery" in caplog.text
    assert pool.withdraw() == []


def test_a_failing_listener_is_logged_and_survived(make, caplog: pytest.LogCaptureFixture) -> None:
    pool, ear = make(size=1)
    ear.reported = lambda _reports: 1 / 0
    pool.submit([job(1, "value")])
    assert pool.join(20)
    assert "ZeroDivisionError" in caplog.text
    del ear.reported
    pool.submit([job(2, "value")])
    assert pool.join(20)
    assert 2 in ear.reports


# Start methods


def test_fresh_interpreters(make) -> None:
    pool, ear = make(size=2, start_method="spawn", max_tasks_per_child=50)
    drain(pool, [job(tag, "pid") for tag in range(200)])
    assert len({ear.value(tag) for tag in ear.reports}) >= 4
    pool.submit([job(301, "kill", signal.SIGKILL)])
    ear.wait_for_tags(301)
    pool.submit([job(302, "sleep", 60, hard=0.3), job(303, "sleep", 60, soft=0.3)])
    assert pool.join(30)
    assert ear.losses[302].cause is LossCause.HARD_LIMIT
    assert isinstance(ear.value(303), SoftTimeLimitExceeded)


def test_fresh_interpreters_that_fail() -> None:
    pool = PreforkPool(PoolOptions(size=1, start_method="spawn"), FailingFactory(), Ear())
    pool.prepare()
    with pytest.raises(WorkerLostError, match="No module named 'missing'"):
        pool.start()
    pool.stop()


def test_spawn_needs_a_factory_that_travels() -> None:
    pool = PreforkPool(PoolOptions(start_method="spawn"), lambda: Trivial(), Ear())  # noqa: PLW0108 - a lambda is the point

    with pytest.raises(ImproperlyConfigured, match="pickled") as caught:
        pool.prepare()
    assert "import path" in caught.value.cure


def test_an_unknown_start_method() -> None:
    pool = PreforkPool(PoolOptions(start_method="clone"), Factory(), Ear())
    with pytest.raises(ImproperlyConfigured, match="'clone'"):
        pool.prepare()


def test_capabilities() -> None:
    claimed = PreforkPool.capabilities().claimed()
    assert claimed == {"hard_limit", "soft_limit", "terminate", "recycle", "isolates", "resize"}


def test_many_jobs_pass_with_limits_set(make) -> None:
    pool, ear = make(factory=Trivial)
    drain(pool, [job(tag, soft=10, hard=20) for tag in range(20_000)])
    assert len(ear.reports) == 20_000
    assert not ear.losses
