"""Pool ``solo``: bodies run in the thread that submits them. For debugging, tests and the smallest footprint."""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence

from kernel.builtins.pools.commits import Uncommitted, commit_safely, run_safely
from kernel.builtins.pools.handout import Estimates, Load
from kernel.builtins.pools.limits import SignalLimiter, ThreadLimiter
from kernel.contracts.capabilities import PoolCaps
from kernel.contracts.pool import Executor, ExecutorFactory, Job, Pool, PoolListener, PoolOptions, Running


class SoloPool(Pool):
    """One body at a time, inside :meth:`submit`, which returns when its jobs are done.

    The thread that submits therefore does nothing else meanwhile; the listener is called from it.
    ``PoolOptions.size`` is ignored by nature: it is always 1, and :meth:`stats` says so.
    """

    name = "solo"

    def __init__(
        self, options: PoolOptions, factory: ExecutorFactory, listener: PoolListener, tell_starts: bool = False
    ) -> None:
        self._factory = factory
        self._listener = listener
        self._tell_starts = tell_starts
        self._estimates = Estimates(options.handout_s)
        self._load = Load(self._estimates, most=options.handout_max)
        self._waiting: deque[Job] = deque()
        self._uncommitted = Uncommitted(options.handout_max)
        self._by_signal = SignalLimiter()
        self._by_thread = ThreadLimiter()
        self._executor: Executor | None = None
        self._running: Running | None = None
        self._done = 0

    @classmethod
    def capabilities(cls) -> PoolCaps:
        """Soft limits only: nobody is left to end a body from outside."""
        return PoolCaps(soft_limit=True)

    def prepare(self) -> None:
        """Nothing is forked."""

    def start(self) -> None:
        """Open the executor in this thread."""
        if threading.current_thread() is threading.main_thread():
            self._by_signal.install()
        self._executor = self._factory()
        self._executor.open()

    def room(self) -> int:
        """One, or more while tasks are short."""
        return self._load.room()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Run these and return."""
        for job in jobs:
            self._load.add(job.tag, job.task)
        self._waiting.extend(jobs)
        if self._executor is None:
            raise RuntimeError("submit() before start()")
        while self._waiting:
            self._run(self._waiting.popleft(), self._executor)
        self._commit(self._executor)

    def outstanding(self) -> frozenset[int]:
        """Tags inside a running ``submit``."""
        return frozenset(self._load.tags())

    def withdraw(self) -> list[int]:
        """Jobs of a running ``submit`` that have not begun; for other threads and the listener."""
        taken: list[int] = []
        while self._waiting:
            job = self._waiting.pop()
            self._load.remove(job.tag)
            taken.append(job.tag)
        return taken[::-1]

    def running(self) -> list[Running]:
        """See :meth:`Pool.running`."""
        running = self._running
        return [] if running is None else [running]

    def terminate(self, tag: int, signal: int) -> bool:
        """Never: the body runs in the thread that would do it."""
        return False

    def join(self, timeout_s: float) -> bool:
        """Whether a ``submit`` of another thread ends in time."""
        due = time.monotonic() + timeout_s
        while len(self._load) and time.monotonic() < due:
            time.sleep(0.005)
        return not len(self._load)

    def stop(self) -> None:
        """Close the executor."""
        self._by_thread.close()
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()

    def stats(self) -> dict[str, object]:
        """One process, one body."""
        return {
            "implementation": "kernel.builtins.pools.solo:SoloPool",
            "max-concurrency": 1,
            "processes": [os.getpid()],
            "max-tasks-per-child": None,
            "timeouts": [None, None],
            "writes": {"total": self._done},
        }

    def _run(self, job: Job, executor: Executor) -> None:
        began = time.monotonic()
        if self._uncommitted.due(began) or not self._estimates.short(job.task):
            self._commit(executor)
            began = time.monotonic()
        if self._tell_starts:
            self._listener.started(job.tag, os.getpid(), time.time())
        main = threading.current_thread() is threading.main_thread()
        self._running = Running(job.tag, os.getpid(), time.time())
        finished = run_safely(executor, job, self._by_signal if main else self._by_thread)
        self._running = None
        ended = time.monotonic()
        self._estimates.observe(job.task, ended - began)
        self._uncommitted.add(job.tag, finished, ended)
        self._done += 1

    def _commit(self, executor: Executor) -> None:
        finished = self._uncommitted.take()
        if not finished:
            return
        reports = commit_safely(executor, finished)
        for report in reports:
            self._load.remove(report.tag)
        self._listener.reported(reports)
