"""Pool ``async``: many ``async def`` bodies at a time on one event loop. For bodies that mostly wait."""

import asyncio
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kernel.builtins.pools.async_run import Run
from kernel.builtins.pools.async_watch import LoopWatch
from kernel.builtins.pools.commits import Broken, commit_safely
from kernel.builtins.pools.handout import Estimates, Load
from kernel.builtins.pools.limits import ThreadLimiter, end_thread
from kernel.contracts.capabilities import PoolCaps
from kernel.contracts.pool import (
    Executor,
    ExecutorFactory,
    Job,
    Loss,
    LossCause,
    Pool,
    PoolListener,
    PoolOptions,
    Running,
)

_STOP_S = 2.0
logger = logging.getLogger("kernel.worker")


class AsyncPool(Pool):
    """Up to ``size`` bodies at once on one loop in a thread of its own; commits in groups in another thread.

    A plain function body runs in a thread, of which there are as many as bodies. Limits work by cancellation: the soft
    one raises ``SoftTimeLimitExceeded`` where the coroutine waits; at the hard one, or a terminate, the task is
    reported lost and cancelled until it ends, and its place stays taken until then. What no pool in one process can do
    is to end a body that blocks: a loop that is blocked is named in the log with the place, and a plain function is
    interrupted between bytecodes by its soft limit only.
    """

    name = "async"

    def __init__(
        self, options: PoolOptions, factory: ExecutorFactory, listener: PoolListener, tell_starts: bool = False
    ) -> None:
        self._options = options
        self._factory = factory
        self._listener = listener
        self._tell_starts = tell_starts
        self._changed = threading.Condition(threading.Lock())
        self._estimates = Estimates(options.handout_s)
        self._load = Load(self._estimates, lanes=options.size, most=options.handout_max)
        self._waiting: deque[Job] = deque()
        self._runs: dict[int, Run] = {}
        self._outstanding: set[int] = set()
        self._ended: queue.SimpleQueue[tuple[int, Any] | Loss | None] = queue.SimpleQueue()
        self._limiter = ThreadLimiter()
        self._threads = ThreadPoolExecutor(options.size, thread_name_prefix="kernel-pool-body")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._executor: Executor | None = None
        self._watch: LoopWatch | None = None
        self._started: list[threading.Thread] = []
        self._stopping = False
        self._done = 0

    @classmethod
    def capabilities(cls) -> PoolCaps:
        """Limits by cancellation."""
        return PoolCaps(hard_limit=True, soft_limit=True, terminate=True)

    def prepare(self) -> None:
        """Nothing is forked."""

    def start(self) -> None:
        """Open the executor and start the loop."""
        self._executor = self._factory()
        self._executor.open()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(self._threads)
        bodies = threading.Thread(target=self._live, args=(self._loop,), name="kernel-pool-loop", daemon=True)
        commits = threading.Thread(target=self._commit, args=(self._executor,), name="kernel-pool-commit", daemon=True)
        self._started = [bodies, commits]
        for thread in self._started:
            thread.start()
        assert bodies.ident is not None
        self._watch = LoopWatch(self._loop, bodies.ident)
        self._watch.start()

    def room(self) -> int:
        """Free places, and more while tasks are short."""
        with self._changed:
            return self._load.room()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Send these to the loop."""
        if self._loop is None:
            raise RuntimeError("submit() before start()")
        with self._changed:
            for job in jobs:
                self._load.add(job.tag, job.task)
            self._outstanding.update(job.tag for job in jobs)
        self._waiting.extend(jobs)
        self._loop.call_soon_threadsafe(self._begin)

    def outstanding(self) -> frozenset[int]:
        """Tags waiting, running, or finished and not committed."""
        with self._changed:
            return frozenset(self._outstanding)

    def withdraw(self) -> list[int]:
        """Take back what waits for a place."""
        taken: list[int] = []
        while self._waiting:
            try:
                taken.append(self._waiting.pop().tag)
            except IndexError:  # the loop took the last one
                break
        with self._changed:
            for tag in taken:
                self._load.remove(tag)
            self._outstanding.difference_update(taken)
            self._changed.notify_all()
        return taken[::-1]

    def running(self) -> list[Running]:
        """See :meth:`Pool.running`."""
        since = time.time() - time.monotonic()
        return [Running(tag, os.getpid(), since + run.began) for tag, run in self._runs.copy().items()]

    def discard(self, tags: Collection[int]) -> list[int]:
        """See :meth:`Pool.discard`: what waits for a place."""
        found: list[int] = []
        for job in [job for job in self._waiting.copy() if job.tag in tags]:
            try:
                self._waiting.remove(job)
            except ValueError:  # the loop took it
                continue
            found.append(job.tag)
        with self._changed:
            for tag in found:
                self._load.remove(tag)
            self._outstanding.difference_update(found)
            self._changed.notify_all()
        return found

    def terminate(self, tag: int, signal: int) -> bool:
        """Cancel a running job, whatever the signal."""
        run = self._runs.get(tag)
        if run is None or self._loop is None:
            return False
        self._loop.call_soon_threadsafe(run.end, LossCause.TERMINATED)
        return True

    def join(self, timeout_s: float) -> bool:
        """Wait until everything is reported or lost, and the listener knows."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._outstanding, timeout_s)

    def stop(self) -> None:
        """Cancel what runs and end the threads.

        A body that blocks and cannot be interrupted stays in its thread, which the log names.
        """
        self._stopping = True
        self._waiting.clear()
        self._stop_loop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._limiter.close()
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()

    def _stop_loop(self) -> None:
        threads, self._started = self._started, []
        if not threads or self._loop is None:
            return
        bodies, commits = threads
        self._loop.call_soon_threadsafe(self._loop.stop)
        bodies.join(2 * _STOP_S)
        if bodies.is_alive() and bodies.ident is not None:
            end_thread(bodies.ident)
            bodies.join(_STOP_S)
        self._ended.put(None)
        commits.join()
        if self._watch is not None:
            self._watch.end()
        if bodies.is_alive():
            logger.warning("A task blocks the event loop and cannot be interrupted, in thread %s", bodies.name)
        else:
            self._loop.close()

    def stats(self) -> dict[str, object]:
        """One process, ``size`` bodies."""
        return {
            "implementation": "kernel.builtins.pools.async_:AsyncPool",
            "max-concurrency": self._options.size,
            "processes": [os.getpid()],
            "running": len(self._runs),
            "max-tasks-per-child": None,
            "timeouts": [None, None],
            "writes": {"total": self._done},
        }

    # In the thread of the loop:

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.run_until_complete(self._wind_up())
        loop.run_until_complete(loop.shutdown_asyncgens())

    async def _wind_up(self) -> None:
        """End what runs, with patience for what cleans up."""
        runs = list(self._runs.values())
        for run in runs:
            run.end(None)
        tasks = [run.task for run in runs if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_S)
        if self._runs:
            names = ", ".join(f"{run.job.task}[{run.job.id}]" for run in self._runs.values())
            logger.warning("Tasks that do not end when they are cancelled are abandoned: %s", names)

    def _begin(self) -> None:
        executor = self._executor
        while self._waiting and len(self._runs) < self._options.size and executor is not None:
            try:
                job = self._waiting.popleft()
            except IndexError:  # withdrawn meanwhile
                break
            if self._tell_starts:
                self._listener.started(job.tag, os.getpid(), time.time())
            run = self._runs[job.tag] = Run(job, self._finished, self._ended.put)
            run.start(executor, self._limiter)
        if self._watch is not None:
            self._watch.busy(bool(self._runs))

    def _finished(self, run: Run, value: Any) -> None:
        del self._runs[run.job.tag]
        if self._stopping:
            return
        with self._changed:
            self._estimates.observe(run.job.task, time.monotonic() - run.began)
            if run.given_up:
                self._load.remove(run.job.tag)
        if not run.given_up:
            if isinstance(value, Broken):
                logger.error("Task %s[%s]: the executor failed", run.job.task, run.job.id, exc_info=value.error)
            self._ended.put((run.job.tag, value))
        else:
            self._listener.room()
        self._begin()

    # In the thread of the commits:

    def _commit(self, executor: Executor) -> None:
        """One commit for all that has ended meanwhile: at once when idle, grouped under load."""
        while True:
            finished, losses, more = self._gather()
            reports = commit_safely(executor, finished)
            tags = [report.tag for report in reports]
            with self._changed:
                for tag in tags:
                    self._load.remove(tag)
            self._done += len(reports)
            if reports:
                self._listener.reported(reports)
            if losses:
                self._listener.lost(losses)
            with self._changed:
                self._outstanding.difference_update(tags)
                self._outstanding.difference_update(loss.tag for loss in losses)
                self._changed.notify_all()
            if not more:
                return

    def _gather(self) -> tuple[list[tuple[int, Any]], list[Loss], bool]:
        """What has ended: at least one thing. False: and nothing will any more."""
        finished: list[tuple[int, Any]] = []
        losses: list[Loss] = []
        block = True
        while len(finished) < self._options.handout_max:
            try:
                ended = self._ended.get(block)
            except queue.Empty:
                break
            block = False
            if ended is None:
                return finished, losses, False
            if isinstance(ended, Loss):
                losses.append(ended)
            else:
                finished.append(ended)
        return finished, losses, True
