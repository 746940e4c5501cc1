"""Soft limits strike inside the armed block and nowhere else."""

import asyncio
import signal
import threading
import time

import pytest
from pools_fakes import nap

from kernel.builtins.pools.limits import SignalLimiter, ThreadLimiter
from kernel.contracts.soft_limit import SoftLimited
from kernel.errors import SoftTimeLimitExceeded


@pytest.fixture
def by_signal():
    before = signal.getsignal(signal.SIGALRM)
    limiter = SignalLimiter()
    limiter.install()
    yield limiter
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def by_thread():
    limiter = ThreadLimiter()
    yield limiter
    limiter.close()
    assert "kernel-soft-limits" not in {thread.name for thread in threading.enumerate()}


def test_a_signal_interrupts_a_sleep(by_signal: SignalLimiter) -> None:
    began = time.monotonic()
    with pytest.raises(SoftTimeLimitExceeded) as caught, by_signal.arm(0.05):
        time.sleep(30)
    assert time.monotonic() - began < 10
    assert caught.value.args == (0.05,)


def test_leaving_the_block_disarms(by_signal: SignalLimiter) -> None:
    with by_signal.arm(0.05):
        pass
    time.sleep(0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_left_over_signal_does_not_strike_the_next_block(by_signal: SignalLimiter) -> None:
    with by_signal.arm(30):
        signal.raise_signal(signal.SIGALRM)
    signal.raise_signal(signal.SIGALRM)


def test_a_body_may_catch_the_limit_and_go_on(by_signal: SignalLimiter) -> None:
    with by_signal.arm(0.02):
        try:
            time.sleep(30)
        except SoftTimeLimitExceeded:
            time.sleep(0.05)


@pytest.mark.parametrize("kind", ["by_signal", "by_thread"])
def test_the_end_of_the_block_is_no_leak(kind: str, request: pytest.FixtureRequest) -> None:
    """Blocks that end around the very moment of the limit: it strikes inside or not at all."""
    limiter = request.getfixturevalue(kind)
    inside = 0
    for round_ in range(300):
        limit = 0.001
        end = time.monotonic() + limit + (round_ - 150) * 2e-6
        try:
            with limiter.arm(limit):
                while time.monotonic() < end:
                    pass
        except SoftTimeLimitExceeded:
            inside += 1
        for _ in range(50):  # outside: an exception here fails the test
            time.monotonic()
    assert inside > 0


def test_a_thread_is_interrupted_between_bytecodes(by_thread: ThreadLimiter) -> None:
    caught: list[SoftTimeLimitExceeded] = []

    def work() -> None:
        try:
            with by_thread.arm(0.05):
                end = time.monotonic() + 30
                while time.monotonic() < end:
                    time.sleep(0.001)
        except SoftTimeLimitExceeded as error:
            caught.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [error.args for error in caught] == [(0.05,)] * 3


def test_many_long_limits_left_early_do_not_pile_up(by_thread: ThreadLimiter) -> None:
    for _ in range(3000):
        with by_thread.arm(3600):
            pass
    with pytest.raises(SoftTimeLimitExceeded), by_thread.arm(0.01):
        nap(30)
    assert len(by_thread._came) < 3000


async def sleeper(seconds: float) -> str:
    try:
        await asyncio.sleep(seconds)
    except SoftTimeLimitExceeded:
        await asyncio.sleep(0)
        return "cleaned up"
    return "slept"


async def endless() -> None:
    await asyncio.sleep(60)


def test_a_coroutine_sees_the_limit_where_it_waits() -> None:
    async def main() -> tuple[str, int]:
        value = await SoftLimited(sleeper(60), 0.02)
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0.05)
        return value, task.cancelling()

    assert asyncio.run(main()) == ("cleaned up", 0)


def test_a_coroutine_that_does_not_catch_ends_with_the_limit() -> None:
    async def main() -> None:
        with pytest.raises(SoftTimeLimitExceeded) as caught:
            await SoftLimited(endless(), 0.02)
        assert caught.value.args == (0.02,)
        await asyncio.sleep(0.05)

    asyncio.run(main())


def test_a_coroutine_in_time_is_left_alone() -> None:
    async def main() -> str:
        value = await SoftLimited(sleeper(0.001), 0.05)
        await asyncio.sleep(0.1)
        return value

    assert asyncio.run(main()) == "slept"


def test_a_real_cancellation_stays_one() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(SoftLimited(endless(), 30))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_cancellation_together_with_the_limit_wins() -> None:
    async def main() -> None:
        limited = SoftLimited(endless(), 30, timer=False)
        task = asyncio.ensure_future(limited)
        await asyncio.sleep(0.01)
        assert limited.expire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


async def blocking(seconds: float) -> str:
    try:
        time.sleep(seconds)  # noqa: ASYNC251 - the point
    except SoftTimeLimitExceeded:
        return "interrupted"
    return "slept"


@pytest.mark.parametrize(("body", "result"), [(sleeper, "cleaned up"), (blocking, "interrupted")])
def test_a_signal_limits_waiting_and_blocking_coroutines(by_signal: SignalLimiter, body, result: str) -> None:
    async def main() -> str:
        limited = SoftLimited(body(60), 0.05, timer=False)
        with by_signal.arm(0.05, limited.expire):
            return await limited

    assert asyncio.run(main()) == result


def test_expire_outside_a_run_asks_the_caller_to_raise() -> None:
    coroutine = endless()
    assert not SoftLimited(coroutine, 1.0).expire()
    coroutine.close()
