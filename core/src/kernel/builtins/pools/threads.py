"""Pool ``threads``: several bodies at a time in the threads of one process. For bodies that wait for the network."""

import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Collection, Sequence

from kernel.builtins.pools.commits import GROUP_S, Uncommitted, commit_safely, run_safely
from kernel.builtins.pools.handout import Estimates, Load
from kernel.builtins.pools.limits import ThreadLimiter, end_thread
from kernel.contracts.capabilities import PoolCaps
from kernel.contracts.pool import Executor, ExecutorFactory, Job, Pool, PoolListener, PoolOptions, Report, Running

_STOP_S = 2.0
logger = logging.getLogger("kernel.worker")


class ThreadsPool(Pool):
    """``size`` threads take jobs from one queue, so that a job waits behind no particular other."""

    name = "threads"

    def __init__(
        self, options: PoolOptions, factory: ExecutorFactory, listener: PoolListener, tell_starts: bool = False
    ) -> None:
        self._options = options
        self._factory = factory
        self._listener = listener
        self._tell_starts = tell_starts
        self._lock = threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._estimates = Estimates(options.handout_s)
        self._load = Load(self._estimates, lanes=options.size, most=options.handout_max)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._limiter = ThreadLimiter()
        self._executor: Executor | None = None
        self._lanes: list[_Lane] = []
        self._size = options.size
        self.excess = 0
        self._number = itertools.count()
        self._flusher: _Flusher | None = None
        self._telling = 0
        self._done = 0

    @classmethod
    def capabilities(cls) -> PoolCaps:
        """Soft limits, and any size: Python cannot end a thread."""
        return PoolCaps(soft_limit=True, resize=True)

    def prepare(self) -> None:
        """Nothing is forked."""

    def start(self) -> None:
        """Open the executor and start the threads."""
        self._executor = self._factory()
        self._executor.open()
        self._flusher = _Flusher(self._lanes)
        self._add_lanes(self._size)
        self._flusher.thread.start()

    def room(self) -> int:
        """Free threads, and more while tasks are short."""
        with self._lock:
            return self._load.room()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue these for the threads."""
        with self._lock:
            for job in jobs:
                self._load.add(job.tag, job.task)
        for job in jobs:
            self._jobs.put(job)

    def outstanding(self) -> frozenset[int]:
        """Tags queued, running, or finished and not committed."""
        with self._lock:
            return frozenset(self._load.tags())

    def withdraw(self) -> list[int]:
        """Take back what is still in the queue."""
        return self.discard(self.outstanding())

    def running(self) -> list[Running]:
        """See :meth:`Pool.running`."""
        jobs = ((lane.job, lane.began) for lane in self._lanes.copy() if lane.running)
        return [Running(job.tag, os.getpid(), began) for job, began in jobs if job is not None]

    def discard(self, tags: Collection[int]) -> list[int]:
        """See :meth:`Pool.discard`: what is still in the queue; the others go to its end."""
        looked_at = [self.next(block=False) for _ in range(self._jobs.qsize())]
        found = [job.tag for job in looked_at if job is not None and job.tag in tags]
        for job in looked_at:
            if job is not None and job.tag not in tags:
                self._jobs.put(job)
        with self._lock:
            for tag in found:
                self._load.remove(tag)
            self._empty.notify_all()
        return found

    def resize(self, size: int) -> None:
        """See :meth:`Pool.resize`: threads that are too many end when they find nothing to do first."""
        if size < 1:
            raise ValueError(f"A pool has at least one thread, not {size}.")
        with self._lock:
            more, self._size = size - self._size, size
            self._load.resize(size)
            kept, self.excess = self.excess, max(0, self.excess - more)
        self._add_lanes(more - kept)
        for _ in range(self.excess):
            self._jobs.put(None)

    def _add_lanes(self, count: int) -> None:
        assert self._executor is not None
        for _ in range(count):
            lane = _Lane(self, self._executor, next(self._number))
            self._lanes.append(lane)
            lane.thread.start()

    def terminate(self, tag: int, signal: int) -> bool:
        """Never: Python cannot end a thread."""
        return False

    def join(self, timeout_s: float) -> bool:
        """Wait until everything is reported."""
        with self._lock:
            return self._empty.wait_for(self._at_rest, timeout_s)

    def stop(self) -> None:
        """End the threads. A body that runs gets SystemExit, and what it then returns is dropped.

        A body inside one long call of C code cannot be ended. Its thread is a daemon, named in the log, and ends with
        the process.
        """
        self.withdraw()
        for lane in self._lanes:
            lane.end()
            self._jobs.put(None)
        due = time.monotonic() + _STOP_S
        for lane in self._lanes:
            lane.thread.join(max(0.0, due - time.monotonic()))
        stuck = [lane.thread.name for lane in self._lanes if lane.thread.is_alive()]
        if stuck:
            logger.warning("Tasks that cannot be interrupted go on until the process ends, in: %s", ", ".join(stuck))
        if self._flusher is not None:
            self._flusher.end()
        self._limiter.close()
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()

    def stats(self) -> dict[str, object]:
        """One process, ``size`` bodies."""
        return {
            "implementation": "kernel.builtins.pools.threads:ThreadsPool",
            "max-concurrency": self._size,
            "processes": [os.getpid()],
            "threads": len(self._lanes),
            "max-tasks-per-child": None,
            "timeouts": [None, None],
            "writes": {"total": self._done},
        }

    # What the lanes need:

    def next(self, block: bool) -> Job | None:
        """The next job; None when there is none, and to wake whoever waits for one."""
        try:
            return self._jobs.get(block)
        except queue.Empty:
            return None

    def run(self, job: Job, lane: "_Lane", executor: Executor) -> None:
        """Run one body in the lane's thread."""
        if self._tell_starts:
            self._listener.started(job.tag, os.getpid(), time.time())
        began = time.monotonic()
        lane.job, lane.began, lane.running = job, time.time(), True
        finished = run_safely(executor, job, self._limiter)
        lane.running, ended = False, time.monotonic()
        with self._lock:
            self._estimates.observe(job.task, ended - began)
        lane.uncommitted.add(job.tag, finished, ended)

    def leaves(self, lane: "_Lane") -> bool:
        """Whether this lane is one too many."""
        with self._lock:
            if not self.excess:
                return False
            self.excess -= 1
        self._lanes.remove(lane)
        return True

    def short(self, job: Job) -> bool:
        """Whether finished work may wait until this job is done."""
        return self._estimates.short(job.task)

    def report(self, reports: list[Report]) -> None:
        """Jobs are committed."""
        with self._lock:
            for report in reports:
                self._load.remove(report.tag)
            self._done += len(reports)
            self._telling += 1
        self._listener.reported(reports)
        with self._lock:
            self._telling -= 1
            self._empty.notify_all()

    def group(self) -> int:
        """As many finished jobs are committed at once."""
        return self._options.handout_max

    def _at_rest(self) -> bool:
        return not len(self._load) and not self._telling

    def hurry(self) -> None:
        """A body begins while finished work of the same lane waits."""
        if self._flusher is not None:
            self._flusher.wake()


class _Lane:
    """One thread: runs job after job, commits when nothing is lost by it or when it is time."""

    def __init__(self, pool: ThreadsPool, executor: Executor, number: int) -> None:
        self.uncommitted = Uncommitted(pool.group())
        self.running = False
        self.job: Job | None = None
        self.began = 0.0
        self.thread = threading.Thread(target=self._work, name=f"kernel-pool-{number}", daemon=True)
        self._pool = pool
        self._executor = executor
        self._ended = False

    def commit(self) -> None:
        """Commit what is finished, unless the pool was stopped over it."""
        finished = self.uncommitted.take()
        if finished and not self._ended:
            self._pool.report(commit_safely(self._executor, finished))

    def end(self) -> None:
        """Drop what is running."""
        self._ended = True
        if self.running and self.thread.ident is not None:
            end_thread(self.thread.ident)

    def _work(self) -> None:
        while not self._ended and not (self._pool.excess and self._pool.leaves(self)):
            job = self._pool.next(block=False)
            if job is None:
                self.commit()
                job = self._pool.next(block=True)
            if job is None:
                continue
            if self.uncommitted:
                self._make_way(job)
            self._pool.run(job, self, self._executor)
        self.commit()

    def _make_way(self, job: Job) -> None:
        if self.uncommitted.due(time.monotonic()) or not self._pool.short(job):
            self.commit()
        else:
            self._pool.hurry()


class _Flusher:
    """Commits for lanes whose next body takes longer than was to be expected."""

    def __init__(self, lanes: Sequence[_Lane]) -> None:
        self.thread = threading.Thread(target=self._watch, name="kernel-pool-flush", daemon=True)
        self._lanes = lanes
        self._wanted = threading.Event()
        self._ended = threading.Event()

    def wake(self) -> None:
        """Look at the lanes soon."""
        if not self._wanted.is_set():
            self._wanted.set()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wanted.set()
        if self.thread.ident is not None:
            self.thread.join()

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._wanted.wait()
            self._wanted.clear()
            while any(lane.uncommitted for lane in self._lanes) and not self._ended.wait(GROUP_S):
                now = time.monotonic()
                for lane in self._lanes:
                    if lane.uncommitted.due(now):
                        lane.commit()
