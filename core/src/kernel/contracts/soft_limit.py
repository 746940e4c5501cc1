"""Soft time limits of ``async def`` bodies: an awaitable that drives a coroutine and can interrupt it.

Apart from :mod:`kernel.contracts` because it needs asyncio, which a publishing process never imports.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from kernel.errors import SoftTimeLimitExceeded

T = TypeVar("T")


class SoftLimited(Generic[T]):
    """Awaits ``body`` and raises ``SoftTimeLimitExceeded`` inside it, where it waits (features.md 2.2).

    The body may catch the exception, clean up and even return a value. Unlike ``asyncio.timeout`` the body sees the
    limit itself and not a cancellation; a real cancellation passes through unchanged, also when both come together.

    Args:
        body: the coroutine; it runs in the task that awaits this object.
        limit_s: seconds, the argument of the exception.
        timer: whether the event loop keeps the time. False leaves that to somebody who calls :meth:`expire`: a
            :class:`~kernel.contracts.pool.SoftLimiter` also interrupts a body that blocks the loop.
    """

    def __init__(self, body: Coroutine[Any, Any, T], limit_s: float, timer: bool = True) -> None:
        self._body = body
        self._limit_s = limit_s
        self._timer = timer
        self._task: asyncio.Task[Any] | None = None
        self._expired = False

    def __await__(self) -> Generator[Any, Any, T]:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        alarm = loop.call_later(self._limit_s, self._interrupt) if self._timer else None
        try:
            return (yield from self._drive())
        finally:
            self._task = None
            if alarm is not None:
                alarm.cancel()

    def expire(self) -> bool:
        """The time is over: interrupt the body. Callable from a signal handler and from any thread.

        Returns:
            False when the body is executing at this moment in the calling thread, so that the caller should raise
            right there; True when the body waits and the event loop will interrupt it.
        """
        task = self._task
        if task is None:
            return False
        loop = task.get_loop()
        if asyncio._get_running_loop() is loop and asyncio.current_task(loop) is task:  # noqa: SLF001 - the only way to ask without an error when this thread runs no loop
            return False
        loop.call_soon_threadsafe(self._interrupt)
        return True

    def _interrupt(self) -> None:
        if self._task is not None:
            self._expired = True
            self._task.cancel()

    def _drive(self) -> Generator[Any, Any, T]:
        value: Any = None
        error: BaseException | None = None
        try:
            while True:
                try:
                    waits_for = self._body.send(value) if error is None else self._body.throw(error)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return] # StopIteration.value is what the coroutine returned
                value, error = None, None
                try:
                    value = yield waits_for
                except GeneratorExit:
                    self._body.close()
                    raise
                except BaseException as raised:  # noqa: BLE001 - whatever the loop throws belongs to the body
                    error = self._translate(raised)
        finally:
            error = None  # its traceback holds this frame: a cycle

    def _translate(self, raised: BaseException) -> BaseException:
        """Our own cancellation becomes the limit, unless somebody else wants the task cancelled too."""
        if not (self._expired and isinstance(raised, asyncio.CancelledError)):
            return raised
        self._expired = False
        if self._task is not None and self._task.uncancel() > 0:
            return raised
        return SoftTimeLimitExceeded(self._limit_s)
