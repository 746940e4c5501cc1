"""A child of the prefork pool: runs one job after the other and commits them in groups.

The main thread runs bodies, commits and reads its pipe when it has nothing else to do. While one body takes longer
than expected, a second thread stands in for it (:class:`_Watch`): finished work is committed, requests are answered.
"""

import logging
import os
import select
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from kernel.builtins.pools import prefork_link as link_
from kernel.builtins.pools.commits import GROUP_S, Uncommitted, commit_safely, run_safely
from kernel.builtins.pools.limits import SignalLimiter
from kernel.builtins.pools.prefork_link import Link
from kernel.builtins.pools.prefork_mark import Mark
from kernel.builtins.pools.prefork_rows import Row, job_of, plain, rows_of
from kernel.contracts.pool import Executor

_LOOK_S = 0.05
"""How soon the watch sees that a long body has ended; requests wake it at once."""
_REST_S = 1.0
"""Idle time after which the watch sleeps until it is woken."""
logger = logging.getLogger("kernel.worker")


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What a child needs of :class:`~kernel.contracts.pool.PoolOptions`, and whether starts are told."""

    max_tasks: int | None
    max_memory_kib: int | None
    group: int
    tell_starts: bool


class Child:
    """The work of one child, from READY to BYE.

    Args:
        link: the private pipe to the node.
        mark: where the job in progress is noted.
        executor: opened.
        options: limits of this child.
    """

    def __init__(self, link: Link, mark: Mark, executor: Executor, options: ChildOptions) -> None:
        self.link = link
        self.began_at = 0.0
        """Monotonic start of the body or commit in progress in the main thread; 0 between them."""
        self._mark = mark
        self._executor = executor
        self._options = options
        self._limiter = SignalLimiter()
        self._inbox: deque[Row] = deque()
        self._uncommitted = Uncommitted(options.group)
        self._seconds: dict[int, float] = {}
        self._starts: list[tuple[int, float]] = []
        self._reading = threading.Lock()
        self._committing = threading.Lock()
        self._sending = threading.Lock()
        self._watch = _Watch(self)
        self._stopped = False
        self._done = 0

    def work(self) -> None:
        """Until the node says stop, or is gone, or this child is worn out."""
        self._limiter.install()
        self._watch.start()
        self.tell(link_.READY)
        while (row := self._next()) is not None:
            self._run(row)
        self._watch.end()

    def stand_in(self) -> None:
        """In the watch: commit what is finished and tell starts, unless the main thread is at it."""
        if self._committing.acquire(blocking=False):
            try:
                self._commit()
            finally:
                self._committing.release()
        self.tell_starts()

    def read(self, wait: bool) -> None:
        """Take what the node sent."""
        with self._reading:
            if wait and (self._inbox or self._stopped):
                return  # the watch was here first
            for frame in self.link.read(wait):
                self._obey(frame, keep=1 if wait else 0)

    def tell(self, kind: str, *content: Any) -> None:
        """Send a frame; starts noted so far go with it, ahead."""
        self.tell_starts()
        with self._sending:
            self.link.send((kind, *content))

    def tell_starts(self) -> None:
        """Send the starts noted so far."""
        if self._starts:
            with self._sending:
                starts, self._starts = self._starts, []
                self.link.send((link_.STARTS, starts))

    def _flush(self) -> None:
        """In the main thread: commit what is finished; the watch stands in if that takes long."""
        if not self._uncommitted:
            return
        self.began_at = time.monotonic()
        if self._watch.asleep:
            self._watch.wake()
        with self._committing:
            self._commit()
        self.began_at = 0.0

    def _commit(self) -> None:
        finished = self._uncommitted.take()
        if not finished:
            return
        began = time.monotonic()
        reports = commit_safely(self._executor, finished)
        share = (time.monotonic() - began) / len(finished)
        seconds = [self._seconds.pop(report.tag, 0.0) + share for report in reports]
        rows = rows_of(reports)
        try:
            self.tell(link_.REPORTS, seconds, rows)
        except Exception:  # what pickle raises for a foreign value
            logger.exception("A report of %s cannot be sent as it is", type(self._executor).__name__)
            self.tell(link_.REPORTS, seconds, plain(rows))

    def _next(self) -> Row | None:
        while not self._worn_out():
            if self._inbox:
                if self._uncommitted.due(time.monotonic()):
                    self._flush()
                try:
                    return self._inbox.popleft()
                except IndexError:  # given back meanwhile
                    continue
            self._flush()
            if self._stopped or self.link.ended:
                return None
            self.read(wait=True)
        self._flush()
        self.tell(link_.BYE)
        return None

    def _run(self, row: Row) -> None:
        job = job_of(row)
        began_ns = time.monotonic_ns()
        self._mark.begin(job.tag, began_ns)
        self.began_at = began_ns / 1e9
        if self._watch.asleep:
            self._watch.wake()
        if self._options.tell_starts:
            self._starts.append((job.tag, time.time()))
        finished = run_safely(self._executor, job, self._limiter)
        self._mark.end()
        self.began_at = 0.0
        ended_ns = time.monotonic_ns()
        self._seconds[job.tag] = (ended_ns - began_ns) / 1e9
        self._uncommitted.add(job.tag, finished, ended_ns / 1e9)
        self._done += 1

    def _obey(self, frame: link_.Frame, keep: int) -> None:
        match frame:
            case (link_.JOBS, rows):
                self._inbox.extend(rows)
            case (link_.RECALL,):
                self._give_back(keep)
            case (link_.STOP,):
                self._stopped = True
                self._inbox.clear()

    def _give_back(self, keep: int) -> None:
        """Everything that has not begun; the main thread may take from the other side of the inbox meanwhile.

        When it is the main thread that reads, it is about to begin the first job and keeps it: or jobs that are slow
        to travel could be asked back for ever.
        """
        tags: list[int] = []
        while len(self._inbox) > keep:
            try:
                tags.append(self._inbox.pop()[0])
            except IndexError:
                break
        self.tell(link_.RETURNED, tags[::-1])

    def _worn_out(self) -> bool:
        """Whether a limit of this child is reached; memory is looked at between groups of short tasks."""
        options = self._options
        if options.max_tasks is not None and self._done >= options.max_tasks:
            return True
        if options.max_memory_kib is None or not self._done:
            return False
        between = not self._inbox or self._uncommitted.due(time.monotonic())
        return between and resident_kib() > options.max_memory_kib


class _Watch:
    """Stands in for the main thread while that is inside a long body or commit."""

    def __init__(self, child: Child) -> None:
        self.asleep = False
        self._child = child
        self._woken = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._keep, name="kernel-child-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def wake(self) -> None:
        """A body begins after a rest."""
        self._woken.set()

    def end(self) -> None:
        """End the thread."""
        self._ended = True
        self._woken.set()
        self._thread.join()

    def _keep(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # signals are the main thread's
        idle_since = time.monotonic()
        while not self._ended:
            began_at, now = self._child.began_at, time.monotonic()
            if began_at:
                idle_since = now
            if not began_at and now - idle_since > _REST_S:
                self._rest()
                idle_since = time.monotonic()
            elif not began_at or now - began_at < GROUP_S:
                self._woken.wait(GROUP_S)
            else:
                self._stand_in()

    def _rest(self) -> None:
        self.asleep = True
        if not self._child.began_at:  # the main thread sets it first and looks at asleep then
            self._woken.wait()
        self.asleep = False
        if not self._ended:
            self._woken.clear()

    def _stand_in(self) -> None:
        child = self._child
        child.stand_in()
        if child.link.ended:
            self._woken.wait(_LOOK_S)
            return
        poll = select.poll()
        poll.register(child.link, select.POLLIN)
        if poll.poll(_LOOK_S * 1000) and child.began_at:
            child.read(wait=False)


def resident_kib() -> int:
    """Resident memory of this process in KiB, pages shared with the nursery included; 0 where it cannot be read."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, in half the time
            return int(file.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
    except OSError:
        return 0
