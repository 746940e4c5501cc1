"""What the node tells the world about its tasks: lines in the log, and monitoring events when they are wanted."""

import logging
import time
from collections.abc import Iterable

from kernel.contracts.broker import Outgoing, SettleKind
from kernel.contracts.pool import Report
from kernel.engine.loss import LossPlan
from kernel.model import states
from kernel.model.events import event
from kernel.runtime.announcer import Announcer
from kernel.runtime.events import EventDispatcher
from kernel.runtime.ledger import Entry

logger = logging.getLogger("kernel.worker")


class Tell:
    """Log lines of features.md 2.4 and task events of wire.md 13.

    Args:
        events: publishes events.
        announcer: sends signals.
        wanted: whether task events are on (``worker_send_task_events``, ``-E``); :meth:`switch` changes it.
    """

    def __init__(self, events: EventDispatcher, announcer: Announcer, *, wanted: bool = False) -> None:
        self._all = events
        self._events = events if wanted else None
        self._announcer = announcer
        self._starts_told = wanted
        self._begun: set[int] = set()

    @property
    def wanted(self) -> bool:
        """Whether task events are on."""
        return self._events is not None

    def switch(self, *, on: bool) -> bool:
        """Turn task events on or off, from any thread; whether that changed anything."""
        changed = on != self.wanted
        self._events = self._all if on else None
        return changed

    def begun(self, running: Iterable[tuple[Entry, float]]) -> bool:
        """What runs, each since a Unix time: for a pool that was not asked to tell starts, as events were off then.

        Returns:
            Whether something of it is to be published by the next flush.
        """
        found = {entry.tag: (entry, at) for entry, at in running}
        new = found.keys() - self._begun if self.wanted and not self._starts_told else ()
        for tag in new:
            self.started(*found[tag])
        self._begun = set(found)
        return bool(new)

    def received(self, entry: Entry) -> None:
        """A task was admitted."""
        if logger.isEnabledFor(logging.INFO):
            logger.info("Task %s received", entry.title)
        self._announcer.received(entry)
        if self._events is not None and entry.options.send_events:
            headers = entry.headers
            self._events.collect(
                event(
                    "task-received",
                    entry.received_at,
                    uuid=entry.run.id,
                    name=entry.run.task,
                    args=headers.get("argsrepr") or "",
                    kwargs=headers.get("kwargsrepr") or "",
                    root_id=headers.get("root_id"),
                    parent_id=headers.get("parent_id"),
                    retries=headers.get("retries") or 0,
                    eta=headers.get("eta"),
                    expires=headers.get("expires"),
                )
            )

    def started(self, entry: Entry, at: float) -> None:
        """An executor has begun with a task, at that Unix time."""
        if self._events is not None and entry.options.send_events:
            self._events.collect(event("task-started", at, uuid=entry.run.id))

    def reported(self, report: Report) -> None:
        """An executor finished a task."""
        if report.log is not None:
            logger.log(report.log[0], "%s", report.log[1])
        if self._events is not None:
            self._publish_report(report)

    def _publish_report(self, report: Report) -> None:
        assert self._events is not None
        if report.events and not self._starts_told and report.tag not in self._begun:
            began = time.time() - report.runtime_s
            self._events.collect(event("task-started", began, uuid=report.events[0]["uuid"]))
        for happened in report.events:
            self._events.collect(happened)

    def malformed(self, message: Outgoing, reason: str) -> None:
        """A message that is none of a task."""
        logger.error(
            "Message %s of queue %s is no task message and is quarantined: %s", message.id, message.queue, reason
        )
        self._announcer.rejected(message, reason)

    def unknown(self, task: str, task_id: str, queue: str) -> None:
        """A task nobody registered here."""
        logger.error(
            "Task %s[%s] of queue %s is not registered in this worker and is quarantined. Import its module (setting"
            " 'imports'), then 'kernel quarantine replay' runs it.",
            task, task_id, queue,
        )  # fmt: skip
        self._announcer.unknown(task, task_id)
        self._send("task-failed", task_id, exception=f"NotRegistered({task!r})", traceback="")

    def discarded(self, task: str, task_id: str, *, expired: bool) -> None:
        """A task that came too late, or was revoked."""
        logger.info("Discarding revoked task: %s[%s]", task, task_id)
        self._announcer.revoked(task, task_id, expired=expired)
        self._send("task-revoked", task_id, terminated=False, signum=None, expired=expired)

    def quarantined(self, entry: Entry, reason: str) -> None:
        """A task that is set aside."""
        logger.error("Task %s is quarantined: %s", entry.title, reason)
        self._announcer.rejected(entry.delivery.message, reason)
        self._send("task-rejected", entry.run.id, requeue=False)

    def lost(self, entry: Entry, decided: LossPlan) -> None:
        """A task whose executor ended."""
        logger.error("Task %s %s%s", entry.title, decided.what, _consequence(decided))
        self._announcer.lost(entry, decided)
        if decided.error is not None and decided.state == states.REVOKED:
            self._send("task-revoked", entry.run.id, terminated=True, signum=decided.signum, expired=False)
        elif decided.error is not None:
            self._send("task-failed", entry.run.id, exception=repr(decided.error), traceback="")

    def _send(self, kind: str, task_id: str, **fields: object) -> None:
        if self._events is not None:
            self._events.collect(event(kind, time.time(), uuid=task_id, **fields))


def _consequence(decided: LossPlan) -> str:
    match decided.kind:
        case SettleKind.RELEASE:
            return "; it goes back to its queue."
        case SettleKind.REJECT:
            return f"; it is quarantined: {decided.reason}."
    return "."
