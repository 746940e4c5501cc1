"""Performs plans: publishes what follows, stores results, runs handlers and errbacks, and reports.

The order is the point (wire.md 2.8): whatever a crash between two writes repeats, it never loses. A write that fails
is retried before the message is settled; one that cannot succeed turns the run into a failure, which is written
instead.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kernel.contracts.backend import StoreMode
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Report
from kernel.engine.failure import ExceptionInfo
from kernel.engine.plan import Plan, Run, Setting, plan
from kernel.errors import BackendStoreError, DriverError, KernelError, Retry
from kernel.model import states
from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.context import Request, Running, current
from kernel.model.outcome import Failed, Replaced, Retried, Succeeded
from kernel.runtime import announce
from kernel.runtime.joiner import Joiner
from kernel.runtime.joins import Joins
from kernel.runtime.middleware import Middleware
from kernel.runtime.store import Store, Storing

logger = logging.getLogger("kernel.worker")


class Finished(Protocol):
    """A run with its plan; ``run`` is None when the message could not be read."""

    @property
    def tag(self) -> int:
        """The node's number of the delivery."""

    @property
    def run(self) -> Run | None:
        """What ran."""

    @property
    def plan(self) -> Plan:
        """What follows from it."""


class Publishing(Protocol):
    """Sends calls; :class:`kernel.runtime.publisher.Publisher`."""

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch."""


class Committing(Storing, Protocol):
    """What a committer needs around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def publisher(self) -> Publishing:
        """Where follow-ups go."""

    @property
    def joins(self) -> Joins:
        """Where chords count their members."""


class Done(NamedTuple):
    """A run whose plan may have changed while it was written."""

    tag: int
    run: Run | None
    plan: Plan


class Committer:
    """Commits for one executor.

    Args:
        services: the publisher for follow-ups and the result backend, both opened when first needed.
        setting: where plans are made, to plan again after a failed write.
        middleware: observers of task_postrun.
    """

    def __init__(
        self,
        services: Committing,
        setting: Setting,
        middleware: Middleware,
    ) -> None:
        self._services = services
        self._store = Store(services)
        self._joins = services.joins
        self._joiner = Joiner(services, self._joins, self._store, setting)
        self._setting = setting
        self._middleware = middleware

    def commit(self, finished: Sequence[Finished]) -> list[Report]:
        """Write a batch of plans; reports 1:1 in input order."""
        done = [Done(each.tag, each.run, each.plan) for each in finished]
        done = self._publish(done)
        done = self._store_records(done)
        done = self._publish_errbacks(done)
        done = [self._joined(each) for each in done]
        for each in done:
            if each.run is not None:
                self._after(each.run, each.plan)
        return [_report(each) for each in done]

    def started(self, request: Request, now: float) -> None:
        """Store STARTED, if the backend answers: a state on the way is worth no wait (features.md 1.4)."""
        meta = {"pid": request.pid, "hostname": request.hostname}
        record = self._setting.records.state(request, states.STARTED, meta, self._setting.node, now)
        try:
            self._store.once([record], StoreMode.IF_NOT_FINAL)
        except DriverError as error:
            logger.warning("The state STARTED of task %s was not stored: %s", request.id, error)

    def _publish(self, done: list[Done]) -> list[Done]:
        """Follow-ups of the whole batch at once; when that fails, one by one to learn whose are refused."""
        plans = [each.plan for each in done if each.plan.calls]
        if not plans:
            return done
        try:
            self._send([call for each in plans for call in each.calls], [join for each in plans for join in each.joins])
        except KernelError:
            return [self._published(each) for each in done]
        return done

    def _published(self, done: Done) -> Done:
        if not done.plan.calls or done.run is None:
            return done
        try:
            self._send(done.plan.calls, done.plan.joins)
        except KernelError as error:
            if isinstance(done.plan.outcome, (Retried, Replaced)) or _repeatable(done.run, error):
                return _given_back(done, error)
            return self._failed(done, done.run, error)
        return done

    def _send(self, calls: Sequence[Call], joins: Sequence[Expected]) -> None:
        """Announce chords, then send."""
        self._services.publisher.publish([*self._joins.expect(joins), *calls])

    def _store_records(self, done: list[Done]) -> list[Done]:
        for mode in (StoreMode.IF_NOT_SUCCESS, StoreMode.IF_NOT_FINAL):
            chosen = [i for i, each in enumerate(done) if each.plan.record is not None and each.plan.mode is mode]
            if not chosen:
                continue
            errors = self._store.all([done[i].plan.record for i in chosen], mode)  # type: ignore[misc] # none is None
            for i, error in zip(chosen, errors, strict=True):
                run = done[i].run
                if error is not None and run is not None:
                    done[i] = self._not_stored(done[i], run, error)
        fallen = [record for each in done for record in each.plan.fallen]
        if fallen:
            self._store.all(fallen, StoreMode.IF_NOT_FINAL)
        return done

    def _not_stored(self, done: Done, run: Run, error: KernelError) -> Done:
        """A record the backend will never take, such as one too large: the task failed, and that is stored."""
        again = self._failed(done, run, BackendStoreError(f"The result could not be stored: {error}"))
        if again.plan.record is not None and done.plan.state != states.FAILURE:
            self._store.all([again.plan.record], again.plan.mode)
        return again

    def _failed(self, done: Done, run: Run, error: KernelError) -> Done:
        text = f"{type(error).__name__}: {error}\n"
        return Done(done.tag, run, plan(Failed(error, text), run, self._setting))

    def _publish_errbacks(self, done: list[Done]) -> list[Done]:
        """Errbacks that are tasks are sent after the failure is stored, so that they can read it."""
        errbacks = [each.plan.errbacks for each in done if each.plan.errbacks.calls]
        if not errbacks:
            return done
        try:
            self._send([call for e in errbacks for call in e.calls], [join for e in errbacks for join in e.joins])
        except KernelError as error:
            logger.error("Errbacks could not be sent: %s", error)  # noqa: TRY400 - one line, the cause is the broker
            return [_given_back(each, error) if each.plan.errbacks.calls else each for each in done]
        return done

    def _joined(self, done: Done) -> Done:
        """Tell the chords that wait for this task, and act for those that are complete with it."""
        if not done.plan.parts:
            return done
        try:
            self._joiner.report(done.plan.parts)
        except KernelError as error:
            logger.error("A chord could not be told of its member: %s", error)  # noqa: TRY400 - the cause is a server
            return _given_back(done, error)
        return done

    def _after(self, run: Run, done: Plan) -> None:
        """Errbacks called directly, then the handlers, in the task's own context. Their errors are logged only."""
        followed = announce.is_followed()
        if not (run.task.has_handlers or done.errbacks.direct or self._middleware or followed):
            return
        token = current.set(Running(run.task, run.request))
        try:
            self._errbacks(run, done)
            if run.task.has_handlers:
                self._handlers(run, done)
            self._middleware.postrun(run.request, done.state)
            if followed:
                announce.ended(run, done)
        finally:
            current.reset(token)

    def _errbacks(self, run: Run, done: Plan) -> None:
        if not isinstance(done.outcome, Failed):
            return
        for errback in done.errbacks.direct:
            try:
                errback.task.body(*errback.args, run.request, done.outcome.error, done.outcome.traceback or None)
            except Exception:
                logger.exception("Errback %s of task %s failed", errback.task.name, run.request.id)

    def _handlers(self, run: Run, done: Plan) -> None:
        try:
            _call_handlers(run, done)
        except Exception:
            logger.exception("A handler of task %s[%s] failed", run.task.name, run.request.id)


def _call_handlers(run: Run, done: Plan) -> None:
    task, request, outcome = run.task, run.request, done.outcome
    task_id, args, kwargs = request.id or "", request.args, request.kwargs
    info: ExceptionInfo | None = None
    value: object = None
    if isinstance(outcome, Succeeded):
        value = outcome.value
        task.on_success(value, task_id, args, kwargs)
    elif isinstance(outcome, Failed):
        value, info = outcome.error, ExceptionInfo(outcome.error, outcome.traceback)
        task.on_failure(outcome.error, task_id, args, kwargs, info)
    elif isinstance(outcome, Retried):
        value, info = outcome.error, ExceptionInfo(outcome.error, outcome.traceback)
        task.on_retry(_cause(outcome.error), task_id, args, kwargs, info)
    task.after_return(done.state, value, task_id, args, kwargs, info)


def _cause(error: BaseException) -> BaseException:
    """What made the task retry: the exception given to ``retry()``, as its ``exc`` (features.md 1.19)."""
    return error.exc if isinstance(error, Retry) and error.exc is not None else error


def _repeatable(run: Run, error: KernelError) -> bool:
    """Whether a server that is away for a while may cost another run of the body: late acknowledgement says so."""
    passing = isinstance(error, DriverError) and error.retryable
    return passing and run.task.task_options.acks_late


def _given_back(done: Done, error: KernelError) -> Done:
    """What follows could not be sent: the message goes back, and the run is repeated later rather than lost."""
    reason = f"what follows could not be sent: {error}"
    given_back = Plan(
        state=states.REJECTED,
        settlement=SettleKind.RELEASE,
        outcome=done.plan.outcome,
        reason=reason,
        runtime_s=done.plan.runtime_s,
        log=(logging.ERROR, f"Task {done.run.request.id if done.run else done.tag} goes back to its queue: {reason}"),
    )
    return Done(done.tag, None, given_back)


def _report(done: Done) -> Report:
    chosen = done.plan
    return Report(
        tag=done.tag,
        settlement=chosen.settlement,
        state=chosen.state,
        runtime_s=chosen.runtime_s,
        reason=chosen.reason,
        events=chosen.events,
        log=chosen.log,
        detail=chosen.detail,
    )
