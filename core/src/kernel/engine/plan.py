"""From what became of a task to the writes that follow: decided here, performed by ``runtime.executor``.

``plan`` is total: every outcome has a settlement, so no branch can leave a message unsettled.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kernel.contracts.backend import Record, StoreMode
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import NO_DETAIL
from kernel.engine.attempt import RunnableTask
from kernel.engine.errbacks import NO_ERRBACKS, Errbacks, errbacks_of
from kernel.engine.failure import error_text, text_of
from kernel.engine.falling import Fall, after_failure, membership, readable_fall
from kernel.engine.following import after_success
from kernel.engine.parts import Part, fallen_parts, fallen_records, success_parts
from kernel.engine.records import Records
from kernel.errors import EncodeError, Ignore, InvalidTaskError, Reject
from kernel.model import states
from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.context import Request
from kernel.model.events import event
from kernel.model.outcome import Failed, Ignored, Outcome, Rejected, Replaced, Retried, Succeeded

DEBUG, INFO, ERROR = logging.DEBUG, logging.INFO, logging.ERROR
Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a plan is made.

    Attributes:
        records: builds records.
        tasks: the registry, to sort errbacks.
        node: name of the worker.
        events: whether monitoring events are wanted.
        log_level: lowest level worth a log line.
    """

    records: Records
    tasks: Mapping[str, RunnableTask]
    node: str
    events: bool = False
    log_level: int = logging.INFO


class Plan(NamedTuple):
    """The writes that one run of a task implies, in the order they are performed (wire.md 2.8).

    Attributes:
        state: the state reached.
        settlement: how the delivery ends, once everything else is written.
        calls: published first, so that ``children`` is complete when the result is seen.
        joins: chords among the calls, announced before.
        record: stored second; None stores nothing.
        fallen: stored with it: later steps that will never run.
        parts: told to the chords that wait for this task or for what falls with it, after the record is stored.
        mode: what the record may overwrite.
        errbacks: run after the record is stored, so that they can read it.
        reason: why, for a rejection.
        runtime_s: how long the body ran.
        events: told to monitors after settlement.
        log: level and text of the worker's log line.
        outcome: what was planned for; handlers and middleware look at it.
    """

    state: str
    settlement: SettleKind
    outcome: Outcome
    calls: tuple[Call, ...] = ()
    joins: tuple[Expected, ...] = ()
    record: Record | None = None
    fallen: tuple[Record, ...] = ()
    parts: tuple[Part, ...] = ()
    mode: StoreMode = StoreMode.IF_NOT_FINAL
    errbacks: Errbacks = NO_ERRBACKS
    reason: str = ""
    runtime_s: float = 0.0
    events: tuple[Event, ...] = ()
    log: tuple[int, str] | None = None
    detail: Mapping[str, object] = NO_DETAIL


class Run(NamedTuple):
    """One finished run: which task, for which request, from when to when (Unix time)."""

    task: RunnableTask
    request: Request
    began: float
    ended: float

    @property
    def runtime_s(self) -> float:
        """Seconds the body took."""
        return self.ended - self.began


def plan(outcome: Outcome, run: Run, setting: Setting) -> Plan:
    """The writes that ``outcome`` implies. Total, pure, and never raises for what a task or message can cause."""
    match outcome:
        case Succeeded():
            return _succeeded(outcome, run, setting)
        case Failed():
            return _failed(outcome, run, setting)
        case Retried():
            return _retried(outcome, run, setting)
        case Ignored():
            return _ignored(outcome, run, setting)
        case Replaced():
            return _replaced(outcome, run, setting)
        case Rejected():
            return _rejected(outcome, run, setting)


def _succeeded(outcome: Succeeded, run: Run, setting: Setting) -> Plan:
    request = run.request
    try:
        following = after_success(request, outcome.value)
        request.children.extend(following.children)
        parts = success_parts(request, outcome.value, setting.records, run.ended)
        record = None
        if not request.ignore_result:
            record = setting.records.success(request, outcome.value, setting.node, run.ended)
    except (EncodeError, InvalidTaskError) as error:  # a result or callback nobody can carry is a failure of the task
        return _failed(Failed(error, f"{type(error).__name__}: {error}\n"), run, setting)
    shown = _shown(outcome.value, run) if setting.events or setting.log_level <= INFO else ""
    return Plan(
        state=states.SUCCESS,
        settlement=SettleKind.ACK,
        outcome=outcome,
        calls=following.calls,
        joins=following.joins,
        record=record,
        parts=parts,
        mode=StoreMode.IF_NOT_SUCCESS,
        runtime_s=run.runtime_s,
        events=_event(setting, run, "task-succeeded", result=shown, runtime=run.runtime_s),
        log=_line(setting, INFO, run, "succeeded in %ss: %s", f"{run.runtime_s:.6g}", shown),
    )


def _failed(outcome: Failed, run: Run, setting: Setting) -> Plan:
    options, request = run.task.task_options, run.request
    stored = not request.ignore_result or options.store_errors_even_if_ignored
    acknowledged = options.acks_on_timeout if outcome.timed_out else options.acks_on_failure
    try:
        errbacks = errbacks_of(request, setting.tasks)
        fall = after_failure(request)
    except InvalidTaskError as error:
        errbacks, fall = NO_ERRBACKS, readable_fall(request)
        outcome = Failed(outcome.error, f"{outcome.traceback}\n(errbacks not run: {error})\n", outcome.expected)
    text = error_text(outcome.error)
    level, words = (INFO, "raised expected") if outcome.expected else (ERROR, "raised unexpected")
    tail = "" if outcome.expected else f"\n{outcome.traceback}"
    return Plan(
        state=states.FAILURE,
        settlement=SettleKind.ACK if acknowledged else SettleKind.REJECT,
        outcome=outcome,
        record=_failure_record(outcome, run, setting) if stored else None,
        fallen=fallen_records(fall, outcome, request, setting.records, run.ended),
        parts=fallen_parts(fall, outcome.error, setting.records, run.ended),
        errbacks=errbacks,
        reason="" if acknowledged else f"failed: {text[:200]}",
        runtime_s=run.runtime_s,
        events=_event(setting, run, "task-failed", exception=text, traceback=outcome.traceback),
        log=_line(setting, level, run, f"{words}: %s%s", text, tail),
        detail={"exception": text, "traceback": outcome.traceback, "timed_out": outcome.timed_out},
    )


def _failure_record(outcome: Failed, run: Run, setting: Setting) -> Record:
    return setting.records.failure(run.request, outcome.error, outcome.traceback, setting.node, run.ended)


def _retried(outcome: Retried, run: Run, setting: Setting) -> Plan:
    request = run.request
    options = outcome.options.copy()
    options["countdown"] = outcome.delay_s
    call = Call(run.task.name, outcome.args, outcome.kwargs, request.id or "", options)
    record = None
    cause = getattr(outcome.error, "exc", None) or outcome.error
    text = error_text(cause)
    if not request.ignore_result:
        request.children.append([[call.id, None], None])  # the next run is a child of this one (wire.md 10.1)
        record = setting.records.failure(request, cause, outcome.traceback, setting.node, run.ended, states.RETRY)
    return Plan(
        state=states.RETRY,
        settlement=SettleKind.ACK,
        outcome=outcome,
        calls=(call,),
        record=record,
        runtime_s=run.runtime_s,
        events=_event(setting, run, "task-retried", exception=text, traceback=outcome.traceback),
        log=_line(setting, INFO, run, "retry: %s", text_of(outcome.error)),
        detail={"exception": text, "traceback": outcome.traceback},
    )


def _replaced(outcome: Replaced, run: Run, setting: Setting) -> Plan:
    return Plan(
        state=states.IGNORED,
        settlement=SettleKind.ACK,
        outcome=outcome,
        calls=outcome.calls,
        joins=outcome.joins,
        runtime_s=run.runtime_s,
        log=_line(setting, INFO, run, "replaced"),
    )


def _ignored(outcome: Ignored, run: Run, setting: Setting) -> Plan:
    """Nothing is stored, and nothing follows; a chord that waits for the task is told that it has no result."""
    own = membership(run.request)
    alone = Fall(parts=[] if own is None else [own])
    return Plan(
        state=states.IGNORED,
        settlement=SettleKind.ACK,
        outcome=outcome,
        parts=fallen_parts(alone, Ignore(), setting.records, run.ended),
        runtime_s=run.runtime_s,
        log=_line(setting, INFO, run, "ignored"),
    )


def _rejected(outcome: Rejected, run: Run, setting: Setting) -> Plan:
    failed = Failed(Reject(outcome.reason, requeue=False), f"Rejected: {outcome.reason}\n")
    if outcome.requeue:
        settlement, record, fall = SettleKind.RELEASE, None, Fall()
    else:
        settlement = SettleKind.REJECT
        record = None if run.request.ignore_result else _failure_record(failed, run, setting)
        fall = readable_fall(run.request)
    return Plan(
        state=states.REJECTED,
        settlement=settlement,
        outcome=outcome,
        record=record,
        fallen=fallen_records(fall, failed, run.request, setting.records, run.ended),
        parts=fallen_parts(fall, failed.error, setting.records, run.ended),
        reason=f"rejected by the task: {outcome.reason[:200]}",
        runtime_s=run.runtime_s,
        events=_event(setting, run, "task-rejected", requeue=outcome.requeue),
        log=_line(setting, INFO, run, "rejected: requeue=%s %s", outcome.requeue, outcome.reason),
    )


def _shown(value: object, run: Run) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ must not fail a task that succeeded
        text = f"<{type(value).__name__}: its repr failed>"
    limit = run.task.task_options.resultrepr_maxsize
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _event(setting: Setting, run: Run, kind: str, **fields: object) -> tuple[Event, ...]:
    if not (setting.events and run.task.task_options.send_events):
        return ()
    return (event(kind, run.ended, uuid=run.request.id, **fields),)


def _line(setting: Setting, level: int, run: Run, text: str, *values: object) -> tuple[int, str] | None:
    if level < setting.log_level:
        return None
    filled = text % values if values else text
    return level, f"Task {run.request.shadow or run.task.name}[{run.request.id}] {filled}"
