"""One child as the node sees it: its pipe, its mark, and the jobs it was given."""

import math
import time
from collections.abc import Iterable, Sequence

from kernel.builtins.pools import prefork_link as link_
from kernel.builtins.pools.handout import Estimates, Load
from kernel.builtins.pools.prefork_link import Link
from kernel.builtins.pools.prefork_mark import Mark, Seen
from kernel.builtins.pools.prefork_rows import row_of
from kernel.contracts.pool import Job, Loss, LossCause, PoolOptions, Running

STUCK_S = 0.05
"""A child with jobs and without a word for this long is inside something long: nothing may wait behind it."""


class Hand:
    """The node's record of a child. Jobs are kept in the order the child runs them.

    Attributes:
        number: the node's number of the child, never used twice.
        cell: number of its mark.
        pid: 0 until it is born.
        ready: whether its executor is open.
        leaving: whether it takes no more jobs.
        orderly: whether it leaves because it was time, and its successor may come.
        jobs: given and neither reported nor returned.
        due: monotonic time when it must be ready or, leaving, gone.
        ending: the job it was asked to be killed over, why, and when to ask again.
        asked_back: whether an answer to a recall is outstanding.
        tightest: the smallest hard limit among the jobs, or infinity.
        worked: whether it ever finished or began a job.
        retired: whether it is one too many, and goes when it has finished what it has.
        why: what it said before it failed.
    """

    def __init__(self, number: int, cell: int, mark: Mark, estimates: Estimates, options: PoolOptions) -> None:
        self.number = number
        self.cell = cell
        self.pid = 0
        self.link: Link | None = None
        self.ready = False
        self.leaving = False
        self.orderly = False
        self.jobs: dict[int, Job] = {}
        self.load = Load(estimates, most=2 * options.handout_max)
        self.due = math.inf
        self.ending: tuple[int, LossCause, float] | None = None
        self.asked_back = False
        self.tightest = math.inf
        self.worked = False
        self.retired = False
        self.why = ""
        self._mark = mark
        self._heard_at = 0.0
        self._chunk = options.handout_max
        self._left = math.inf if options.max_tasks_per_child is None else options.max_tasks_per_child
        mark.clear()

    def seen(self) -> Seen:
        """What it is doing now."""
        return self._mark.read()

    def running(self) -> Running | None:
        """The job it is running."""
        seen = self.seen()
        return (
            Running(seen.tag, self.pid, time.time() - seen.seconds) if seen.running and seen.tag in self.jobs else None
        )

    def retire(self) -> None:
        """It takes no more jobs."""
        self.retired = True
        self._left = len(self.jobs)

    def takes(self, now: float) -> bool:
        """Whether it may be given jobs at all."""
        return self.ready and not self.leaving and not self.stuck(now)

    def stuck(self, now: float) -> bool:
        """Whether it has been inside one thing for long."""
        return bool(self.jobs) and now - self._heard_at > STUCK_S

    def stuck_at(self) -> float:
        """When it will be stuck if it says nothing."""
        return self._heard_at + STUCK_S

    def full(self) -> bool:
        """Whether it will be replaced before it could run one more."""
        return len(self.jobs) >= self._left

    def room(self, now: float) -> int:
        """How many jobs of the recent mixture it takes."""
        return int(min(self.load.room(), self._left - len(self.jobs))) if self.takes(now) else 0

    def add(self, job: Job, now: float) -> None:
        """A job is its to run; :meth:`give` sends it."""
        if not self.jobs:
            self._heard_at = now
        self.jobs[job.tag] = job
        self.load.add(job.tag, job.task)
        if job.hard_limit is not None:
            self.tightest = min(self.tightest, job.hard_limit)

    def give(self, jobs: Sequence[Job]) -> list[tuple[Job, Exception]]:
        """Send added jobs; those that cannot be sent, with the reason."""
        assert self.link is not None
        bad: list[tuple[Job, Exception]] = []
        for at in range(0, len(jobs), self._chunk):
            chunk = jobs[at : at + self._chunk]
            try:
                self.link.offer((link_.JOBS, [row_of(job) for job in chunk]))
            except Exception as error:  # noqa: BLE001 - pickling a foreign payload may raise anything
                if len(chunk) == 1:
                    self.remove(chunk[0].tag)
                    bad.append((chunk[0], error))
                else:
                    for job in chunk:
                        bad += self.give([job])
        return bad

    def flush(self, now: float) -> None:
        """Send more of what its pipe did not take: it reads, so it is not stuck."""
        if self.link is not None and self.link.waiting:
            self.link.flush()
            self._heard_at = now

    def leave(self, due: float) -> None:
        """It ends in an orderly way, until then."""
        self.leaving = self.orderly = True
        self.asked_back = False
        self.due = due

    def heard(self, now: float) -> None:
        """It made progress."""
        self._heard_at = now
        self.worked = True

    def remove(self, tag: int) -> Job | None:
        """A job is no longer its."""
        job = self.jobs.pop(tag, None)
        if job is not None:
            self.load.remove(tag)
        if not self.jobs:
            self.tightest = math.inf
        return job

    def finish(self, tag: int) -> str | None:
        """A job was reported; its task, or None when it was not known."""
        job = self.remove(tag)
        self._left -= 1
        return None if job is None else job.task

    def take_back(self, tags: Iterable[int]) -> list[Job]:
        """Jobs it certainly has not begun."""
        return [job for job in map(self.remove, tags) if job is not None]

    def bury(self, exitcode: int | None) -> tuple[list[Loss], list[Job]]:
        """It is gone: the jobs lost with it, and those it had not begun.

        The job begun last and everything given before it has begun; what of that was not reported is lost: running, or
        finished without its result being stored.
        """
        seen = self.seen()
        self.worked = self.worked or seen.tag >= 0
        order = list(self.jobs)
        begun = order.index(seen.tag) + 1 if seen.tag in self.jobs else 0
        losses = [self._loss(tag, seen, exitcode) for tag in order[:begun]]
        unbegun = [self.jobs[tag] for tag in order[begun:]]
        self.jobs.clear()
        return losses, unbegun

    def _loss(self, tag: int, seen: Seen, exitcode: int | None) -> Loss:
        running = seen.running and seen.tag == tag
        asked = self.ending is not None and self.ending[0] == tag
        cause = self.ending[1] if running and asked and self.ending is not None else LossCause.EXITED
        return Loss(tag, cause, exitcode, seen.seconds if running else 0.0, self.pid)

    def ask_end(self, tag: int, cause: LossCause) -> None:
        """Remember over which job its end was asked for."""
        self.ending = (tag, cause, time.monotonic() + 1.0)
