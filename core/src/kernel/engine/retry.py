"""When a task runs again, and as which call (features.md 1.23, wire.md 2.7)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from kernel.errors import MaxRetriesExceededError, Retry
from kernel.model.context import Request
from kernel.model.message import BROKER_HEADERS
from kernel.model.options import CallOptions, TaskOptions

Uniform = Callable[[float, float], float]
"""``random.uniform``, passed in so that decisions stay repeatable."""


class ScheduledRetry(Retry):
    """A :class:`Retry` that carries the call to publish. Nothing is sent until the plan of the task is committed."""

    call_args: tuple[Any, ...]
    call_kwargs: dict[str, Any]
    call_options: CallOptions
    delay_s: float


@dataclass(frozen=True, slots=True)
class RetryAsk:
    """What ``self.retry(…)`` was given; None means "not given".

    ``countdown`` is seconds; with ``eta`` it is ignored. ``max_retries`` None takes the task's own.
    """

    args: tuple[Any, ...] | None = None
    kwargs: Mapping[str, Any] | None = None
    exc: BaseException | None = None
    eta: datetime | None = None
    countdown: float | None = None
    max_retries: int | None = None
    options: Mapping[str, Any] | None = None


def schedule_retry(task: TaskOptions, request: Request, ask: RetryAsk, now: float) -> ScheduledRetry:
    """Decide on another run.

    Args:
        task: the task's options.
        request: the call that failed.
        ask: what was asked for.
        now: Unix time in seconds.

    Raises:
        BaseException: ``ask.exc``, when the retries are used up.
        MaxRetriesExceededError: the same without an exception to raise.
    """
    limit = task.max_retries if ask.max_retries is None else ask.max_retries
    if limit is not None and request.retries >= limit:
        raise _used_up(task, request, ask)
    delay = _delay(task, ask, now)
    retry = ScheduledRetry(exc=ask.exc, when=ask.eta if ask.eta is not None else delay)
    retry.call_args = request.args if ask.args is None else tuple(ask.args)
    retry.call_kwargs = dict(request.kwargs if ask.kwargs is None else ask.kwargs)
    retry.call_options = _options(request, ask)
    retry.delay_s = delay
    return retry


def automatic_retry(
    task: TaskOptions, request: Request, error: BaseException, now: float, uniform: Uniform
) -> ScheduledRetry | None:
    """The retry that ``autoretry_for`` asks for, or None when it does not cover this error.

    Raises:
        BaseException: ``error``, when the retries are used up.
    """
    if not isinstance(error, task.autoretry_for) or isinstance(error, task.dont_autoretry_for):
        return None
    given = dict(task.retry_kwargs or {})
    limit = given.pop("max_retries", None)
    countdown = given.pop("countdown", None)
    if task.retry_backoff:
        countdown = backoff(task, request.retries, uniform)
    return schedule_retry(
        task, request, RetryAsk(exc=error, countdown=countdown, max_retries=limit, options=given), now
    )


def backoff(task: TaskOptions, retries: int, uniform: Uniform) -> float:
    """Seconds before retry number ``retries``: factor · 2^retries, capped, then jittered (features.md 1.23)."""
    exponent = min(retries, 64)  # 2^64 is beyond every cap, and the power stays a small number
    delay = min(task.retry_backoff * 2**exponent, task.retry_backoff_max)
    return uniform(0.0, delay) if task.retry_jitter else delay


def _delay(task: TaskOptions, ask: RetryAsk, now: float) -> float:
    if ask.eta is not None:
        when = ask.eta if ask.eta.tzinfo else ask.eta.replace(tzinfo=UTC)
        return max(0.0, when.timestamp() - now)
    return max(0.0, task.default_retry_delay if ask.countdown is None else float(ask.countdown))


def _used_up(task: TaskOptions, request: Request, ask: RetryAsk) -> BaseException:
    if ask.exc is not None:
        return ask.exc
    return MaxRetriesExceededError(
        f"Can't retry {task.name}[{request.id}] args:{request.args!r:.200} kwargs:{request.kwargs!r:.200}",
        task_args=request.args,
        task_kwargs=request.kwargs,
    )


def _options(request: Request, ask: RetryAsk) -> CallOptions:
    options: dict[str, Any] = {
        "retries": request.retries + 1,
        "root_id": request.root_id or request.id,
        "parent_id": request.id,
        "ignore_result": request.ignore_result,
        "replaced_task_nesting": request.replaced_task_nesting,
        "add_to_parent": False,
        **where_it_came_from(request.delivery_info),
    }
    hard, soft = request.timelimit
    carried = {
        "expires": datetime.fromisoformat(request.expires) if request.expires else None,
        "headers": {key: value for key, value in (request.headers or {}).items() if key not in BROKER_HEADERS} or None,
        "link": request.callbacks,
        "link_error": request.errbacks,
        "chain": request.chain,
        "chord": request.chord,
        "group_id": request.group,
        "group_index": request.group_index,
        "reply_to": request.reply_to,
        "shadow": request.shadow,
        "time_limit": hard,
        "soft_time_limit": soft,
        "stamped_headers": request.stamped_headers,
        "stamps": request.stamps or None,
        "properties": request.properties or None,
        "group": request.delivery_info.get("group"),
    }
    options.update({key: value for key, value in carried.items() if value is not None})
    options.update(ask.options or {})
    return cast(CallOptions, options)  # the keys were checked where the caller gave them


def where_it_came_from(info: Mapping[str, Any]) -> dict[str, Any]:
    """The queue the message was taken from: with the default exchange the routing key names it (wire.md 2.7)."""
    found: dict[str, Any] = {}
    if info.get("exchange"):
        found = {"exchange": info["exchange"], "routing_key": info.get("routing_key") or ""}
    elif info.get("routing_key"):
        found = {"queue": info["routing_key"]}
    if info.get("priority") is not None:
        found["priority"] = info["priority"]
    return found
