"""Soft time limits inside an event loop."""

import asyncio

import pytest

from kernel.errors import SoftTimeLimitExceeded
from kernel.runtime.portal import Portal, limited


def test_a_body_within_its_limit_is_untouched():
    async def body():
        await asyncio.sleep(0.001)
        return 5

    assert asyncio.run(limited(body(), 5)) == 5
    assert asyncio.run(limited(body(), None)) == 5


def test_the_limit_is_raised_where_the_body_waits_and_may_be_caught():
    async def body():
        try:
            await asyncio.sleep(30)
        except SoftTimeLimitExceeded as error:
            await asyncio.sleep(0.01)  # it may go on working
            return error.args
        return None

    assert asyncio.run(limited(body(), 0.02)) == (0.02,)


def test_uncaught_it_ends_the_body():
    with pytest.raises(SoftTimeLimitExceeded):
        asyncio.run(limited(asyncio.sleep(30), 0.02))


def test_a_foreign_cancellation_stays_one():
    async def main():
        task = asyncio.create_task(limited(asyncio.sleep(30), 20))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_errors_pass_through():
    async def body():
        await asyncio.sleep(0)
        raise ValueError(1)

    with pytest.raises(ValueError, match="1"):
        asyncio.run(limited(body(), 5))


def test_the_portal_runs_bodies_of_any_thread_on_one_loop():
    from concurrent.futures import ThreadPoolExecutor

    async def body():
        await asyncio.sleep(0.001)
        return id(asyncio.get_running_loop())

    async def slow():
        await asyncio.sleep(30)

    portal = Portal()
    try:
        with ThreadPoolExecutor(4) as pool:
            loops = {f.result() for f in [pool.submit(portal.drive, body(), None, None) for _ in range(8)]}
            late = pool.submit(portal.drive, slow(), 0.02, None)
            with pytest.raises(SoftTimeLimitExceeded):
                late.result()
        assert len(loops) == 1
        assert portal.drive(body(), None, None) not in loops
    finally:
        portal.close()
        portal.close()
