"""Soft time limits inside an event loop: ``SoftTimeLimitExceeded`` raised where the coroutine waits."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

from kernel.errors import SoftTimeLimitExceeded


async def limited(awaitable: Awaitable[Any], seconds: float | None) -> Any:
    """Await something for at most ``seconds``; None awaits without a limit.

    When the time is over, :class:`~kernel.errors.SoftTimeLimitExceeded` is raised at the ``await`` the coroutine stands
    at, once; it may catch it and finish. A cancellation from elsewhere passes through unchanged.
    """
    return await (awaitable if seconds is None else _Limited(awaitable, seconds))


class _Limited:
    """Steps the inner awaitable and turns the one cancellation that is ours into the exception of the limit.

    Cancelling the asyncio task is the only way to end whatever future it waits for; the exception the coroutine sees
    can be chosen here, because every step passes through this generator.
    """

    def __init__(self, awaitable: Awaitable[Any], seconds: float) -> None:
        self._awaitable = awaitable
        self._seconds = seconds
        self._expired = False

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A soft time limit needs a running asyncio task")
        alarm = asyncio.get_running_loop().call_later(self._seconds, self._expire, task)
        try:
            return (yield from self._steps(task))
        finally:
            alarm.cancel()

    def _expire(self, task: "asyncio.Task[Any]") -> None:
        self._expired = True
        task.cancel()

    def _steps(self, task: "asyncio.Task[Any]") -> Generator[Any, Any, Any]:
        inner = self._awaitable.__await__()
        error: BaseException | None = None
        while True:
            try:
                waited_for = next(inner) if error is None else inner.throw(error)
            except StopIteration as stop:
                return stop.value
            try:
                yield waited_for
                error = None
            except asyncio.CancelledError as cancelled:
                error = self._translate(task, cancelled)
            except BaseException as raised:  # noqa: BLE001 - handed to the coroutine it was meant for
                error = raised

    def _translate(self, task: "asyncio.Task[Any]", cancelled: asyncio.CancelledError) -> BaseException:
        if not self._expired:
            return cancelled
        self._expired = False
        task.uncancel()
        return SoftTimeLimitExceeded(self._seconds)
