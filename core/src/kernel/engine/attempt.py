"""Run one task body: exceptions stop here, and what comes out is an :data:`~kernel.model.outcome.Outcome`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kernel.contracts.pool import SoftLimiter
from kernel.engine.failure import ExceptionInfo, text_of, traceback_text
from kernel.engine.following import ReplacedBy
from kernel.engine.retry import RetryAsk, ScheduledRetry, Uniform, automatic_retry, schedule_retry
from kernel.errors import Ignore, Reject, Retry, SoftTimeLimitExceeded
from kernel.model.context import Request, Running, current
from kernel.model.options import TaskOptions
from kernel.model.outcome import Failed, Ignored, Outcome, Rejected, Replaced, Retried, Succeeded

_HERE = __file__
_UNLIMITED = nullcontext()


class RunnableTask(Protocol):
    """What the engine needs of a task: its options, its body, and its handlers (features.md 1.19)."""

    @property
    def name(self) -> str:
        """The registered name."""

    @property
    def task_options(self) -> TaskOptions:
        """The frozen options."""

    @property
    def body(self) -> Callable[..., Any]:
        """What is called: ``run``, or ``__call__`` where a subclass replaced it."""

    @property
    def has_handlers(self) -> bool:
        """Whether any handler below is overridden, so that calling them is worth it."""

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called first; an error here fails the task."""

    def on_success(self, retval: Any, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called after a success was stored."""

    def on_failure(
        self, exc: BaseException, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: ExceptionInfo
    ) -> None:
        """Called after a failure was stored."""

    def on_retry(
        self, exc: BaseException, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: ExceptionInfo
    ) -> None:
        """Called after a retry was sent."""

    def after_return(
        self,
        status: str,
        retval: Any,
        task_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        einfo: ExceptionInfo | None,
    ) -> None:
        """Called last."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the engine may use of the world, passed in.

    Attributes:
        clock: Unix time in seconds.
        uniform: ``random.uniform``.
        drive: runs the awaitable of an ``async def`` body to its end, outside an event loop; takes the awaitable, its
            soft limit in seconds, and the pool's limiter.
        limit: wraps an awaitable so that it raises ``SoftTimeLimitExceeded`` after those seconds.
    """

    clock: Callable[[], float]
    uniform: Uniform
    drive: Callable[[Awaitable[Any], float | None, SoftLimiter | None], Any]
    limit: Callable[[Awaitable[Any], float | None], Awaitable[Any]]


def attempt(task: RunnableTask, request: Request, limiter: SoftLimiter | None, ports: Ports) -> Outcome:
    """Run the body of ``task`` for ``request`` in this thread.

    Every exception of the body, ``SystemExit`` and ``KeyboardInterrupt`` included, becomes an outcome: nothing a
    message causes may end its executor.
    """
    token = current.set(Running(task, request))
    try:
        try:
            task.before_start(request.id or "", request.args, request.kwargs)
            with _limit(limiter, request):
                value = task.body(*request.args, **request.kwargs)
            if value is not None and isinstance(value, Awaitable):  # what most bodies return need not be looked at
                value = ports.drive(value, request.timelimit[1], limiter)
        except BaseException as error:  # noqa: BLE001 - the one place where a body's exceptions stop
            return judge(task, request, error, ports)
        return _returned(request, value)
    finally:
        current.reset(token)


async def attempt_async(task: RunnableTask, request: Request, ports: Ports) -> Outcome:
    """The same for an ``async def`` body on the running event loop, within its soft time limit."""
    token = current.set(Running(task, request))
    try:
        try:
            task.before_start(request.id or "", request.args, request.kwargs)
            value = await ports.limit(task.body(*request.args, **request.kwargs), request.timelimit[1])
        except BaseException as error:  # noqa: BLE001 - the one place where a body's exceptions stop
            return judge(task, request, error, ports)
        return _returned(request, value)
    finally:
        current.reset(token)


def judge(task: RunnableTask, request: Request, error: BaseException, ports: Ports) -> Outcome:
    """What an exception of the body means."""
    if isinstance(error, ReplacedBy):
        return Replaced(error.calls, error.joins)
    if isinstance(error, Ignore):
        return Ignored()
    if isinstance(error, Reject):
        return Rejected(text_of(error.reason), bool(error.requeue))
    text = traceback_text(error, skip=_HERE)
    try:
        retry = _retry(task.task_options, request, error, ports)
    except BaseException as final:  # noqa: BLE001 - retries used up: this is the error to report
        return _failed(task.task_options, final, text if final is error else traceback_text(final, skip=_HERE))
    if retry is not None:
        return _retried(retry, text)
    return _failed(task.task_options, error, text)


def _limit(limiter: SoftLimiter | None, request: Request) -> AbstractContextManager[None]:
    soft = request.timelimit[1]
    return limiter.arm(soft) if limiter is not None and soft else _UNLIMITED


def _returned(request: Request, value: object) -> Outcome:
    """A body that called ``self.retry(throw=False)`` and then returned is retried, not successful."""
    retry = request.pending_retry
    if isinstance(retry, ScheduledRetry):
        return _retried(retry, "")
    return Succeeded(value)


def _retry(options: TaskOptions, request: Request, error: BaseException, ports: Ports) -> ScheduledRetry | None:
    if isinstance(error, ScheduledRetry):
        return error
    if isinstance(error, Retry):  # raised by hand instead of through self.retry()
        when = error.when
        late = (
            RetryAsk(exc=error.exc, eta=when) if isinstance(when, datetime) else RetryAsk(exc=error.exc, countdown=when)
        )
        return schedule_retry(options, request, late, ports.clock())
    if options.autoretry_for:
        return automatic_retry(options, request, error, ports.clock(), ports.uniform)
    return None


def _retried(retry: ScheduledRetry, text: str) -> Retried:
    return Retried(
        error=retry,
        traceback=text,
        args=retry.call_args,
        kwargs=retry.call_kwargs,
        options=retry.call_options,
        delay_s=retry.delay_s,
    )


def _failed(options: TaskOptions, error: BaseException, text: str) -> Failed:
    return Failed(
        error=error,
        traceback=text,
        expected=isinstance(error, options.throws),
        timed_out=isinstance(error, SoftTimeLimitExceeded),
    )
