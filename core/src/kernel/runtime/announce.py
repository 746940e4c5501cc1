"""Sends the signals around one run of a task and one message sent (features.md 2.7)."""

from collections.abc import Mapping, Sequence
from typing import Any

from kernel.engine.attempt import RunnableTask
from kernel.engine.failure import ExceptionInfo, traceback_text
from kernel.engine.plan import Plan, Run
from kernel.errors import Retry
from kernel.model.context import Request, Running, current
from kernel.model.outcome import Failed, Retried, Succeeded
from kernel.runtime.sender import Parcel
from kernel.runtime.signal_table import (
    after_task_publish,
    before_task_publish,
    task_failure,
    task_internal_error,
    task_postrun,
    task_prerun,
    task_retry,
    task_success,
)


def starting(task: RunnableTask, request: Request) -> None:
    """The body is about to run."""
    if not task_prerun.receivers:
        return
    token = current.set(Running(task, request))
    try:
        task_prerun.send(task, task_id=request.id, task=task, args=request.args, kwargs=request.kwargs)
    finally:
        current.reset(token)


def is_followed() -> bool:
    """Whether anybody wants to know how runs end."""
    return bool(task_success.receivers or task_failure.receivers or task_retry.receivers or task_postrun.receivers)


def ended(run: Run, done: Plan) -> None:
    """All writes of a run are done. Called in the task's own context."""
    task, request, outcome = run.task, run.request, done.outcome
    value: object = None
    if isinstance(outcome, Succeeded):
        value = outcome.value
        task_success.send(task, result=value)
    elif isinstance(outcome, Failed):
        value = outcome.error
        _failed(task, request, outcome)
    elif isinstance(outcome, Retried):
        value = outcome.error
        error = outcome.error
        reason = error.exc if isinstance(error, Retry) and error.exc is not None else error
        info = ExceptionInfo(outcome.error, outcome.traceback)
        task_retry.send(task, request=request, reason=reason, einfo=info)
    task_postrun.send(
        task,
        task_id=request.id,
        task=task,
        args=request.args,
        kwargs=request.kwargs,
        retval=value,
        state=done.state,
    )


def broken(runs: Sequence[Run], error: Exception) -> None:
    """The kernel failed after these runs: nothing is certain to be stored, and they come again."""
    if not task_internal_error.receivers:
        return
    info = ExceptionInfo(error, traceback_text(error, skip=__file__))
    for run in runs:
        request = run.request
        task_internal_error.send(
            run.task,
            task_id=request.id,
            args=request.args,
            kwargs=request.kwargs,
            request=request,
            exception=error,
            traceback=info.traceback,
            einfo=info,
        )


def _failed(task: RunnableTask, request: Request, outcome: Failed) -> None:
    task_failure.send(
        task,
        task_id=request.id,
        exception=outcome.error,
        args=request.args,
        kwargs=request.kwargs,
        traceback=outcome.traceback,
        einfo=ExceptionInfo(outcome.error, outcome.traceback),
    )


def sending(task: str, body: Sequence[Any], headers: dict[str, Any], properties: dict[str, Any], place: Any) -> None:
    """A message is about to be encoded.

    Args:
        task: its name.
        body: arguments, keyword arguments, and what follows.
        headers: may be changed.
        properties: transport properties; may be changed.
        place: where it goes: ``queue``, ``exchange`` and ``routing_key``.
    """
    before_task_publish.send(
        task,
        body=tuple(body),
        exchange=place.exchange,
        routing_key=place.routing_key or place.queue,
        headers=headers,
        properties=properties,
        declare=[spec.name for spec in place.specs],
        retry_policy=None,
    )


def sent(parcels: Sequence[Parcel], bodies: Mapping[str, Sequence[Any]]) -> None:
    """The broker took these messages; ``bodies`` are by id."""
    for item, _, headers in parcels:
        after_task_publish.send(
            headers["task"],
            body=tuple(bodies.get(item.id, ())),
            exchange=item.exchange,
            routing_key=item.routing_key or item.queue,
            headers=dict(item.headers),
        )
