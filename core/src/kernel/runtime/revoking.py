"""Revoking in a node: remember, keep over a restart, discard what has not begun, store REVOKED, end what runs.

Features.md 2.5, wire.md 12. The set of revoked ids is looked at by admission (:mod:`kernel.engine.admit`).
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.contracts.broker import Delivery, Settle, SettleKind
from kernel.contracts.pool import Pool
from kernel.engine.revoked import RevokedTasks, is_task_id
from kernel.errors import TaskRevokedError
from kernel.model import states
from kernel.runtime.desk import Desk
from kernel.runtime.endings import Ending
from kernel.runtime.inbox import Errand, Inbox
from kernel.runtime.intake import Intake
from kernel.runtime.ledger import Entry
from kernel.runtime.revoked_marks import RevokedMarks
from kernel.runtime.state_db import StateDb

logger = logging.getLogger("kernel.worker")

_BEGIN_S = 1.0
_TIDY_S = 600.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Discard(Errand):
    """In the main loop: what was revoked and has not begun ends here."""

    desk: Desk
    intake: Intake
    pool: Pool
    revoked: RevokedTasks

    def run(self) -> None:
        """Settle each as a revoked message that arrives, and those the pool has and has not begun."""
        waiting = self.desk.waiting.take(self._revoked)
        if waiting:
            self.intake.take_due(waiting)
        entries = {entry.tag: entry for entry in self.desk.ledger if self.revoked.holds(entry.run.id, entry.headers)}
        for tag in self.pool.discard(entries) if entries else ():
            self._end(entries[tag])

    def _revoked(self, delivery: Delivery) -> bool:
        headers = delivery.message.headers or {}
        return self.revoked.holds(str(headers.get("id")), headers)

    def _end(self, entry: Entry) -> None:
        self.desk.ledger.pop(entry.tag)
        self.desk.tell.discarded(entry.run.task, entry.run.id, expired=False)
        settle = None if entry.settled else Settle(entry.delivery, SettleKind.ACK, started=False)
        ignored = entry.headers.get("ignore_result") is True
        ending = Ending(entry.delivery, entry.headers, TaskRevokedError("revoked"), states.REVOKED, ignored)
        self.desk.end(ending, settle, entry.tag)


class Revoking:
    """What commands, neighbours and the file of an earlier run say about revoked tasks. From any thread.

    Args:
        discard: what the main loop is to do after a change; it knows the set that admission looks at.
        inbox: of the main loop.
        marks: stores REVOKED.
        db: the file; None without one.
    """

    def __init__(self, discard: Discard, inbox: Inbox, marks: RevokedMarks, db: StateDb | None) -> None:
        self.revoked = discard.revoked
        self._discard = discard
        self._inbox = inbox
        self._marks = marks
        self._db = db
        self._tidy_at = time.monotonic() + _TIDY_S

    def restore(self) -> None:
        """Take over what the file has; before anything is received.

        Raises:
            ImproperlyConfigured: for a file that is none of ours.
        """
        if self._db is None:
            return
        ids, stamps = self._db.read()
        now = time.time()
        self.revoked.restore(ids, now)
        self.revoked.restore_stamps(stamps, now)

    def revoke(self, ids: Collection[str]) -> None:
        """These tasks are not to run; what of them runs goes on."""
        now = time.time()
        new = self.revoked.add(ids, now)
        self._keep(new)
        running = {entry.run.id for entry in self.entries(ids)}
        self._marks.add([task_id for task_id in new if task_id not in running])

    def merge(self, ids: Iterable[str]) -> None:
        """A neighbour revoked these (``hello``): it has stored REVOKED itself."""
        known = [task_id for task_id in ids if is_task_id(task_id) and task_id not in self.revoked.ids]
        self._keep(self.revoked.add(known, time.time()))

    def revoke_stamps(self, stamps: Mapping[str, Any]) -> None:
        """Tasks that carry one of these stamps are not to run; what of them runs goes on."""
        new = self.revoked.add_stamps(stamps, time.time())
        if self._db is not None:
            self._db.add_stamps(new)
        self._inbox.send(self._discard)

    def entries(self, ids: Collection[str]) -> list[Entry]:
        """The tasks of those ids that the pool has and that are not to be discarded: they run, or are about to."""
        return [entry for entry in self._discard.desk.ledger if entry.run.id in ids]

    def stamped(self, stamps: Mapping[str, Any]) -> list[Entry]:
        """The tasks the pool has that carry one of these stamps."""
        chosen = RevokedTasks()
        chosen.add_stamps(stamps, time.time())
        return [entry for entry in self._discard.desk.ledger if chosen.stamped(entry.headers.get("stamps"))]

    def terminate(self, entries: Collection[Entry], signal: int) -> list[Entry]:
        """End the executors of these; those of which the end was asked for.

        A task whose executor is about to begin with it is waited for, for a second in all; what the main loop
        discards meanwhile counts as ended, too.
        """
        pool, ledger = self._discard.pool, self._discard.desk.ledger
        ended: list[Entry] = []
        left = list(entries)
        deadline = time.monotonic() + _BEGIN_S
        while left:
            done = [entry for entry in left if ledger.get(entry.tag) is not entry or pool.terminate(entry.tag, signal)]
            ended += done
            left = [entry for entry in left if entry not in done]
            if left and (time.monotonic() >= deadline or not pool.capabilities().terminate):
                break
            if left:
                time.sleep(_LOOK_S)
        for entry in ended:
            logger.info("Terminating %s (signal %d)", entry.title, signal)
        return ended

    def do(self) -> None:
        """Write what is to be stored, and forget what is over."""
        self._marks.flush()
        self.revoked.purge(time.time())
        if self._db is not None and time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + _TIDY_S
            self._db.purge()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()

    def _keep(self, new: Mapping[str, float]) -> None:
        if not new:
            return
        if self._db is not None:
            self._db.add(new)
        self._inbox.send(self._discard)
