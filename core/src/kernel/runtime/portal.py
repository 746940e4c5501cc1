"""Runs ``async def`` bodies: one event loop per process, whatever the pool (architecture.md 4)."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Any

from kernel.contracts.pool import SoftLimiter
from kernel.contracts.soft_limit import SoftLimited


class Portal:
    """The event loop of this process, entered from code that is not async.

    In the main thread the loop runs there, while a body runs, so that signals reach it. From any other thread the body
    runs on a loop thread that is started once and shared.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._main: asyncio.AbstractEventLoop | None = None
        self._shared: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def drive(self, awaitable: Awaitable[Any], soft: float | None, limiter: SoftLimiter | None) -> Any:
        """Run an awaitable to its end, within its soft time limit of ``soft`` seconds."""
        if threading.current_thread() is threading.main_thread():
            return self._in_main(awaitable, soft, limiter)
        return self._in_shared(limited(awaitable, soft))

    def close(self) -> None:
        """Stop the loop thread and close both loops. Idempotent."""
        with self._lock:
            shared, self._shared = self._shared, None
            main, self._main = self._main, None
            thread, self._thread = self._thread, None
        if shared is not None and thread is not None:
            shared.call_soon_threadsafe(shared.stop)
            thread.join(5.0)
            shared.close()
        if main is not None:
            main.close()

    def _in_main(self, awaitable: Awaitable[Any], soft: float | None, limiter: SoftLimiter | None) -> Any:
        if self._main is None:
            self._main = asyncio.new_event_loop()
        if limiter is None or soft is None:
            return self._main.run_until_complete(limited(awaitable, soft))
        body = SoftLimited(_coroutine(awaitable), soft, timer=False)
        with limiter.arm(soft, body.expire):
            return self._main.run_until_complete(_coroutine(body))

    def _in_shared(self, awaitable: Awaitable[Any]) -> Any:
        future: Future[Any] = Future()
        entry = _Entry(awaitable, future, contextvars.copy_context())
        self._loop().call_soon_threadsafe(entry.begin)
        return future.result()

    def _loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._shared is None:
                self._shared = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._shared.run_forever, name="kernel-async", daemon=True)
                self._thread.start()
            return self._shared


class _Entry:
    """One awaitable on its way into the loop thread, with the context of the thread that waits for it."""

    def __init__(self, awaitable: Awaitable[Any], future: "Future[Any]", context: contextvars.Context) -> None:
        self._awaitable = awaitable
        self._future = future
        self._context = context
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Create the asyncio task; runs in the loop thread."""
        self._task = asyncio.get_running_loop().create_task(_coroutine(self._awaitable), context=self._context)
        self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            self._future.set_exception(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(task.result())


async def limited(awaitable: Awaitable[Any], seconds: float | None) -> Any:
    """Await something within its soft time limit; None is no limit."""
    return await (awaitable if seconds is None else SoftLimited(_coroutine(awaitable), seconds))


async def _coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
