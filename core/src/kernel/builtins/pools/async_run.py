"""One job on the event loop of pool ``async``."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from kernel.builtins.pools.commits import Broken
from kernel.contracts.pool import Executor, Job, Loss, LossCause, SoftLimiter

_AGAIN_S = 1.0


class Run:
    """A job between its start and its end, with its hard limit.

    Args:
        job: what runs.
        finished: told ``(run, value)`` when it has ended, also after :meth:`end`.
        lost: told the loss when it is ended from outside.
    """

    def __init__(self, job: Job, finished: Callable[["Run", Any], None], lost: Callable[[Loss], None]) -> None:
        self.job = job
        self.began = time.monotonic()
        self.given_up = False
        self._finished = finished
        self._lost = lost
        self.task: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def start(self, executor: Executor, limiter: SoftLimiter) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        if self.job.hard_limit is not None:
            self._alarm = loop.call_later(self.job.hard_limit, self.end, LossCause.HARD_LIMIT)
        self.task = loop.create_task(self._run(executor, limiter), name=f"{self.job.task}[{self.job.id}]")

    def end(self, cause: LossCause | None) -> None:
        """Cancel it, again every second until it gives way; it is lost from now on, whatever it still returns.

        A cause of None is for a pool that stops: nobody is told.
        """
        if self.task is None or self.task.done():
            return
        if not self.given_up and cause is not None:
            self._lost(Loss(self.job.tag, cause, runtime_s=time.monotonic() - self.began))
        self.given_up = True
        self.task.cancel()
        self._alarm = asyncio.get_running_loop().call_later(_AGAIN_S, self.end, cause)

    async def _run(self, executor: Executor, limiter: SoftLimiter) -> None:
        value: Any
        try:
            value = await executor.run_async(self.job, limiter)
        except BaseException as error:  # noqa: BLE001 - the loop must outlive it, and its job must be settled
            value = Broken(error)
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
        self._finished(self, value)
