"""What happens after a run: a report settles its delivery, a lost executor is judged (features.md 1.24)."""

import logging
from collections.abc import Sequence

from kernel.contracts.broker import Settle, SettleKind
from kernel.contracts.pool import Loss, LossCause, Report
from kernel.engine.failure import ExceptionInfo
from kernel.engine.loss import LossPlan, Lost, on_loss
from kernel.engine.quarantine import again, copy_for
from kernel.errors import TaskError, TimeLimitExceeded
from kernel.model import states
from kernel.runtime.desk import Desk
from kernel.runtime.endings import Ending
from kernel.runtime.inbox import Errand, LeaseGone, News, Started
from kernel.runtime.ledger import Entry
from kernel.runtime.request import Request

logger = logging.getLogger("kernel.worker")


class Finish:
    """Reads the news of the pool and the lease keeper.

    Args:
        desk: where deliveries are settled and results stored.
        delivery_limit: executors one message may cost (``task_delivery_limit``).
    """

    def __init__(self, desk: Desk, delivery_limit: int) -> None:
        self._desk = desk
        self._delivery_limit = delivery_limit
        self.cold = False

    def take(self, news: Sequence[News]) -> None:
        """Act on everything that arrived, in order."""
        for each in news:
            try:
                self._act(each)
            except Exception:  # a defect of ours must not end the node; the message comes back when its lease ends
                logger.exception("The news %r could not be acted on", each)
                self._desk.leases.forget(each.tag)

    def _act(self, news: News) -> None:
        match news:
            case Report():
                self._reported(news)
            case Loss():
                self._lost(news)
            case Started():
                self._started(news)
            case LeaseGone():
                self._lease_gone(news)
            case Errand():
                news.run()

    def give_back(self, entry: Entry) -> None:
        """Return a delivery whose body never began."""
        self._desk.ledger.pop(entry.tag)
        if entry.gone:
            return
        if entry.settled:
            self._desk.copies.add(again(entry.delivery.message, entry.delivery.message.queue))
        else:
            self._desk.settle(Settle(entry.delivery, SettleKind.RELEASE, started=False), entry.tag)

    def end_remaining(self) -> None:
        """After a cold stop: whatever still has no report was running and is gone."""
        for entry in self._desk.ledger:
            self._lost(Loss(entry.tag, LossCause.EXITED))

    def _reported(self, report: Report) -> None:
        entry = self._desk.ledger.pop(report.tag)
        if entry is None:
            logger.debug("A report of job %d came after it was given up", report.tag)
            return
        self._desk.ledger.count(entry.run.task)
        self._desk.tell.reported(report)
        if not entry.settled:
            settle = Settle(entry.delivery, report.settlement, report.seconds, report.reason)
            self._desk.settle(settle, entry.tag)
        elif not entry.gone:
            self._put_back(entry, report)
        if entry.request is not None:
            _tell_request(entry.request, report)

    def _put_back(self, entry: Entry, report: Report) -> None:
        """A message acknowledged early is to be released or rejected after all: a copy is sent.

        A failure is no reason: ``acks_on_failure`` and ``acks_on_timeout`` are about late acknowledgement.
        """
        message = entry.delivery.message
        if report.settlement is SettleKind.REJECT and report.state != states.FAILURE:
            self._desk.copies.add(copy_for(message, self._desk.quarantine, report.reason))
        elif report.settlement is SettleKind.RELEASE:
            self._desk.copies.add(again(message, message.queue, report.seconds))

    def _lost(self, loss: Loss) -> None:
        entry = self._desk.ledger.pop(loss.tag)
        if entry is None:
            return
        self._desk.ledger.count(entry.run.task)
        lost = Lost(
            loss,
            entry.options,
            acked=entry.settled,
            attempt=entry.delivery.attempt,
            hard_limit=entry.run.hard_limit,
            by_shutdown=self.cold and loss.cause is LossCause.EXITED,
        )
        decided = on_loss(lost, self._delivery_limit)
        self._desk.tell.lost(entry, decided)
        self._end(entry, decided)
        if entry.request is not None and decided.error is not None:
            _tell_loss(entry.request, entry, decided)

    def _end(self, entry: Entry, decided: LossPlan) -> None:
        settle = None
        if decided.kind is not None:
            settle = Settle(entry.delivery, decided.kind, reason=decided.reason)
        if decided.error is not None:
            ending = Ending(entry.delivery, entry.headers, decided.error, decided.state, _ignored(entry))
            self._desk.end(ending, settle, entry.tag)
        elif settle is not None:
            self._desk.settle(settle, entry.tag)

    def _started(self, started: Started) -> None:
        entry = self._desk.ledger.get(started.tag)
        if entry is None:
            return
        self._desk.tell.started(entry, started.at)
        if entry.request is not None:
            _guarded(entry.request, "on_accepted", started.pid, started.at)

    def _lease_gone(self, gone: LeaseGone) -> None:
        entry = self._desk.ledger.get(gone.tag)
        if entry is not None:
            entry.settled = entry.gone = True
            logger.warning(
                "Task %s: its lease was lost while it ran; it may run again elsewhere and is not acknowledged here.",
                entry.title,
            )


def _ignored(entry: Entry) -> bool:
    wanted = entry.headers.get("ignore_result")
    ignored = entry.options.ignore_result if wanted is None else bool(wanted)
    return ignored and not entry.options.store_errors_even_if_ignored


def _tell_request(request: Request, report: Report) -> None:
    detail = report.detail
    info = ExceptionInfo(TaskError(str(detail.get("exception", report.reason))), str(detail.get("traceback", "")))
    if detail.get("timed_out"):
        _guarded(request, "on_timeout", True, request.time_limits[1])
    if report.state == states.SUCCESS:
        _guarded(request, "on_success", (False, None, report.runtime_s))
    elif report.state == states.FAILURE:
        _guarded(request, "on_failure", info)
    elif report.state == states.RETRY:
        _guarded(request, "on_retry", info)


def _tell_loss(request: Request, entry: Entry, decided: LossPlan) -> None:
    if isinstance(decided.error, TimeLimitExceeded):
        _guarded(request, "on_timeout", False, entry.run.hard_limit)
    if decided.error is not None:
        _guarded(request, "on_failure", ExceptionInfo(decided.error, ""))


def _guarded(request: Request, method: str, *args: object) -> None:
    """Call an application's method; its errors are logged, the node goes on."""
    try:
        getattr(request, method)(*args)
    except Exception:
        logger.exception("%r.%s failed", request, method)
