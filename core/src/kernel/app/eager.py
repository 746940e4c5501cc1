"""Results of tasks that ran in the calling process (features.md 2.2)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from kernel.app.ports import App
from kernel.app.result import AsyncResult
from kernel.model import states
from kernel.model.call import Call
from kernel.model.outcome import Failed, Ignored, Outcome, Rejected, Replaced, Retried, Succeeded

R = TypeVar("R")


class EagerResult(AsyncResult[R]):
    """What became of an eager run; nothing is asked of a result backend. Tests may make one by hand.

    Args:
        id: the task id.
        ret_value: the value, or the error of a task that failed.
        state: the state reached.
        traceback: the text of its traceback.
        name: the task's name.
        app: the application; None is the current one.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the documented name
        ret_value: Any,
        state: str,
        traceback: str | None = None,
        name: str | None = None,
        app: App | None = None,
    ) -> None:
        super().__init__(id, app)
        self.known = _EagerMeta(id, state, ret_value, traceback, name)

    def forget(self) -> None:
        """Let go of the value."""
        self.known = _EagerMeta(self.id, states.IGNORED, None, None, None)

    def get(self, timeout: float | None = None, propagate: bool = True, **waiting: Any) -> R:  # type: ignore[override] # noqa: ARG002 - there is nothing to wait for
        """The value; options of waiting have no effect, because it is there."""
        value: R = self.maybe_throw(propagate)
        return value

    wait = get  # type: ignore[assignment] # likewise


class _EagerMeta:
    """The state of an eager run in the form in which states are read."""

    date_done = args = kwargs = worker = retries = queue = children = None

    def __init__(self, task_id: str, status: str, result: Any, traceback: str | None, name: str | None) -> None:
        self.task_id = task_id
        self.status = status
        self.result = result
        self.traceback = traceback
        self.name = name

    def to_dict(self) -> dict[str, Any]:
        """The mapping of wire.md 10.1."""
        return {"task_id": self.task_id, "status": self.status, "result": self.result, "traceback": self.traceback}


def result_of(app: App, task_id: str, outcome: Outcome, name: str | None = None) -> EagerResult[Any]:
    """The result of an eager run."""
    state, value = _shown(outcome)
    return EagerResult(task_id, value, state, getattr(outcome, "traceback", None), name, app)


def _shown(outcome: Outcome) -> tuple[str, Any]:
    match outcome:
        case Succeeded():
            return states.SUCCESS, outcome.value
        case Failed():
            return states.FAILURE, outcome.error
        case Retried():
            return states.RETRY, outcome.error
        case Replaced():
            return states.PENDING, None
        case Rejected():
            return states.REJECTED, outcome.reason
        case Ignored():
            return states.IGNORED, None


def apply_locally(app: App, call: Call, *, throw: bool | None = None, serialize: bool = False) -> EagerResult[Any]:
    """Run a call and everything that follows it here and now.

    Args:
        app: whose tasks.
        call: what to run.
        throw: raise its error; None follows ``task_eager_propagates``.
        serialize: pass arguments through the serializer first, as ``task_always_eager`` does.
    """
    outcomes = run_locally(app, [call], serialize=serialize)
    result = result_of(app, call.id, outcomes[call.id], call.task)
    if app.config.task_eager_propagates if throw is None else throw:
        result.maybe_throw()
    return result


def run_locally(app: App, calls: list[Call], *, serialize: bool = False) -> Mapping[str, Outcome]:
    """Run calls one after the other; the outcome of each, and of what followed, by task id."""
    return app.client.run_locally(calls, app.tasks, serialize=serialize)
