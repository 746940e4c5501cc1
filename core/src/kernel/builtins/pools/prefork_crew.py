"""The children of a prefork pool: kept at their number, given jobs, heard, limited and buried. Single-threaded logic.

Every method is called under the lock of the pool. What the listener is to be told is collected in :class:`Told`.
"""

import contextlib
import logging
import math
import os
import socket
from collections.abc import Collection, Sequence
from signal import SIGKILL

from kernel.builtins.pools import prefork_link as link_
from kernel.builtins.pools.commits import release
from kernel.builtins.pools.handout import Estimates
from kernel.builtins.pools.prefork_births import Births
from kernel.builtins.pools.prefork_desk import Desk
from kernel.builtins.pools.prefork_hand import Hand
from kernel.builtins.pools.prefork_link import Link
from kernel.builtins.pools.prefork_mark import Marks
from kernel.builtins.pools.prefork_nursery import Control, News, Order
from kernel.builtins.pools.prefork_rows import Row, reports_of
from kernel.builtins.pools.prefork_size import missing
from kernel.builtins.pools.prefork_told import Told
from kernel.contracts.pool import Job, LossCause, PoolOptions

_LEAVE_S = 10.0
"""How long a child may take to close its drivers."""
logger = logging.getLogger("kernel.worker")


class Crew:
    """All children of one pool.

    Args:
        options: of the pool.
        control: the line to the nursery.
        marks: the shared memory.
        setup: the first frame for fresh interpreters; None for forked children.
    """

    def __init__(self, options: PoolOptions, control: Control, marks: Marks, setup: link_.Frame | None) -> None:
        self.hands: dict[int, Hand] = {}
        self.births = Births()
        self.told = Told()
        self.broken = ""
        self.stopping = False
        self.done = 0
        self.size = options.size
        self._options = options
        self._control = control
        self._marks = marks
        self._setup = setup
        self._estimates = Estimates(options.handout_s)
        self._desk = Desk()
        self._cells = list(range(marks.cells))[::-1]
        self._abandoned: list[int] = []
        self._last = 0

    def room(self, now: float) -> int:
        """How many jobs fit."""
        return self._desk.room(self.hands.values(), now)

    def submit(self, jobs: Sequence[Job], now: float) -> None:
        """New jobs."""
        self._desk.put(jobs)
        self.hand_out(now)

    def hand_out(self, now: float) -> None:
        """Give out what can be given."""
        for job, error in self._desk.hand_out(self.hands.values(), now):
            logger.error("Task %s[%s] cannot be handed to a child: %s", job.task, job.id, error)
            self.told.reports.append(release(job.tag, error))

    def tags(self) -> list[int]:
        """Everything submitted that has not ended."""
        return self._desk.tags() + [tag for hand in self.hands.values() for tag in hand.jobs] + self._abandoned

    def ask_back(self) -> None:
        """Begin a withdrawal: nothing is given out any more, and children return what they have not begun."""
        self._desk.closed = True
        for hand in self.hands.values():
            self._recall(hand)

    def answered(self) -> bool:
        """Whether every child that was asked has answered."""
        return not any(hand.asked_back for hand in self.hands.values())

    def take_back(self) -> list[int]:
        """End a withdrawal: the tags nobody has begun. A child that did not answer runs what it has."""
        self._desk.closed = False
        return self._desk.clear()

    def discard(self, tags: Collection[int]) -> list[int]:
        """Forget those no child has."""
        return self._desk.discard(tags)

    def end(self, tag: int, signal: int, cause: LossCause) -> bool:
        """Signal the child that runs this job, while it runs it."""
        for hand in self.hands.values():
            if tag in hand.jobs:
                seen = hand.seen()
                if not (seen.running and seen.tag == tag):
                    return False
                hand.ask_end(tag, cause)
                self._order(Order.END, hand, signal, tag)
                return True
        return False

    def nearest(self, now: float) -> float:
        """The earliest time at which the jobs just given out need a look; now, when a pipe did not take them all."""
        soon = math.inf
        for hand in self.hands.values():
            if hand.link is not None and hand.link.waiting:
                return -math.inf
            if hand.jobs:
                soon = min(soon, now + hand.tightest, hand.stuck_at() if len(hand.jobs) > 1 else math.inf)
        return soon

    def staff(self, now: float) -> None:
        """Ask for the children that are missing."""
        if self.stopping or self.broken or now < self.births.not_before:
            return
        for _ in range(missing(self.hands.values(), self.size, now + _LEAVE_S)):
            if not self._cells:
                return
            self._last += 1
            cell = self._cells.pop()  # the lowest: that of the child it replaces, as a rule
            hand = Hand(self._last, cell, self._marks.cell(cell), self._estimates, self._options)
            hand.due = now + self._options.start_timeout_s
            self.hands[hand.number] = hand
            self._order(Order.BEAR, hand, cell)

    def dismiss(self, now: float) -> None:
        """The pool stops: idle children end orderly, the others are killed."""
        self.stopping = True
        self._abandoned += self._desk.clear()
        for hand in self.hands.values():
            if hand.link is not None and hand.ready and not hand.jobs:
                hand.link.offer((link_.STOP,))
                hand.leave(now + _LEAVE_S)
            else:
                self._order(Order.KILL, hand, SIGKILL)

    def hear_nursery(self, now: float) -> None:
        """Read one record of the nursery."""
        came = self._control.receive()
        if came is None:
            self._bereft()
            return
        (kind, number, first, _), fd = came
        hand = self.hands[number]
        if kind == News.BORN and fd is not None:
            self._born(hand, first, fd)
        elif kind == News.UNBORN:
            self._bury(hand, None, f"It cannot be forked: {os.strerror(first)}.", now)
        elif kind == News.GONE:
            self._bury(hand, os.waitstatus_to_exitcode(first), "", now)

    def hear(self, hand: Hand, now: float) -> None:
        """Read what a child sent, and send what waits for it."""
        if hand.link is None:
            return
        hand.flush(now)
        for frame in hand.link.read(wait=False):
            self._obey(hand, frame, now)
        if hand.link.ended and not hand.leaving:
            hand.leaving, hand.due = True, now + _LEAVE_S  # closed its pipe: dead, or as good as

    def check(self, now: float) -> float:
        """Do what time demands; when to look again."""
        nearest = math.inf
        for hand in list(self.hands.values()):
            nearest = min(nearest, self._check(hand, now))
            if self.broken and (hand.link is None or hand.link.ended):
                self._bury(hand, None, "", now)  # nobody is left to tell its end
        self.staff(now)
        return min(nearest, self.births.not_before) if now < self.births.not_before else nearest

    def _check(self, hand: Hand, now: float) -> float:
        if not hand.ready or hand.leaving:
            return self._check_due(hand, now)
        return min(self._check_limit(hand, now), self._check_queue(hand, now)) if hand.jobs else math.inf

    def _check_due(self, hand: Hand, now: float) -> float:
        if now >= hand.due:
            hand.why = hand.why or f"It was not ready within {self._options.start_timeout_s:g} s."
            hand.due = now + _LEAVE_S
            self._order(Order.KILL, hand, SIGKILL)
        return hand.due

    def _check_limit(self, hand: Hand, now: float) -> float:
        """The hard limit of the running job."""
        if hand.tightest == math.inf:
            return math.inf
        nearest = now + hand.tightest  # whatever begins later cannot be over before
        seen = hand.seen()
        job = hand.jobs.get(seen.tag) if seen.running else None
        if job is None or job.hard_limit is None:
            return nearest
        left = job.hard_limit - seen.seconds
        if left > 0:
            return min(nearest, now + left)
        if hand.ending is None or hand.ending[1] is not LossCause.HARD_LIMIT or now >= hand.ending[2]:
            self.end(job.tag, SIGKILL, LossCause.HARD_LIMIT)
        return now + 1.0

    def _check_queue(self, hand: Hand, now: float) -> float:
        """Jobs behind something long are asked back."""
        if len(hand.jobs) == 1 or hand.asked_back:
            return math.inf
        if not hand.stuck(now):
            return hand.stuck_at() + 0.001
        self._recall(hand)
        return math.inf

    def _recall(self, hand: Hand) -> None:
        if hand.link is not None and hand.jobs and not hand.leaving and not hand.asked_back:
            hand.asked_back = True
            hand.link.offer((link_.RECALL,))

    def _born(self, hand: Hand, pid: int, fd: int) -> None:
        hand.pid = pid
        hand.link = Link(socket.socket(fileno=fd))
        if self._setup is not None:
            hand.link.offer(self._setup)

    def _obey(self, hand: Hand, frame: link_.Frame, now: float) -> None:
        match frame:
            case (link_.REPORTS, seconds, rows):
                self._reported(hand, seconds, rows, now)
            case (link_.STARTS, starts):
                self.told.starts += [(tag, hand.pid, at) for tag, at in starts]
            case (link_.RETURNED, tags):
                hand.asked_back = False
                self._desk.put_back(hand.take_back(tags))
            case (link_.READY,):
                hand.ready = self.told.room = True
                self.births.ready()
            case (link_.BYE,):
                hand.leave(now + _LEAVE_S)
                self._desk.put_back(hand.take_back(list(hand.jobs)))
            case (link_.FAILED, text):
                hand.why = text
        self.hand_out(now)

    def _reported(self, hand: Hand, seconds: Sequence[float], rows: Sequence[Row], now: float) -> None:
        reports = reports_of(rows)
        for report, each in zip(reports, seconds, strict=True):
            task = hand.finish(report.tag)
            if task is not None:
                self._estimates.observe(task, each)
        hand.heard(now)
        self.births.worked()
        self.done += len(reports)
        self.told.reports += reports

    def _bury(self, hand: Hand, exitcode: int | None, why: str, now: float) -> None:
        """A child is gone: what it still said is heard, what it was running is lost, the rest goes to others."""
        if hand.link is not None:
            for frame in hand.link.drain():
                self._obey(hand, frame, now)
            hand.link.close()
        del self.hands[hand.number]
        self._cells = sorted([*self._cells, hand.cell], reverse=True)
        losses, unbegun = hand.bury(exitcode)
        if self.stopping:
            self._abandoned += [loss.tag for loss in losses] + [job.tag for job in unbegun]
            return
        self.told.losses += losses
        self.told.room = True
        self._desk.put_back(unbegun)
        if not hand.worked and not hand.orderly:
            self.births.failed(why or hand.why or f"It ended with exit code {exitcode}.", now)
        elif losses:
            logger.warning("Pool child %d ended with exit code %s while it ran a task", hand.pid, exitcode)
        self.staff(now)
        self.hand_out(now)

    def _bereft(self) -> None:
        """The nursery is gone: children work on, none can be replaced."""
        if not self.broken and not self.stopping:
            logger.critical("The nursery process of the pool is gone: no child can be replaced any more")
        self.broken = "the nursery process, which starts children, is gone"

    def close(self) -> None:
        """Close the pipes that are left."""
        for hand in self.hands.values():
            if hand.link is not None:
                hand.link.close()

    def _order(self, order: Order, hand: Hand, first: int, second: int = 0) -> None:
        try:
            self._control.send(order, hand.number, first, second)
        except OSError:
            self._bereft()
        if self.broken and order is Order.KILL and hand.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(hand.pid, first)
