"""``celery.contrib.abortable``: tasks that look now and then whether somebody wants them to stop (features.md 2.1).

The wish is a state of the task's result, so both sides need a result backend that they share: any but ``rpc://``, whose
results go to one process only. A task that stores states of its own while it runs replaces the wish.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kernel.app.result import AsyncResult
from kernel.app.task import Task
from kernel.model.context import Request

ABORTED = "ABORTED"
"""The state of a task that is asked to stop; no ready state, since the task has not ended yet."""


class AbortableAsyncResult(AsyncResult[Any]):
    """A result whose task can be asked to stop."""

    def is_aborted(self) -> bool:
        """Whether it was asked to stop."""
        return self.state == ABORTED

    def abort(self) -> None:
        """Ask the task to stop. A stored success stays.

        Raises:
            BackendStoreError: the state could not be stored; always so with ``rpc://``.
            ResultsDisabled: there is no result backend.
        """
        self.known = None
        request = Request(id=self.id, called_directly=False)
        self.app.client.results.store_state(request, ABORTED, None)


class AbortableTask(Task[..., Any]):
    """Base class of tasks that ask :meth:`is_aborted` while they run."""

    abstract = True

    def AsyncResult(self, task_id: str) -> AbortableAsyncResult:  # noqa: N802 - the documented name
        """The result of an earlier call, which can be aborted."""
        return AbortableAsyncResult(task_id, self.app)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Send the task; its result can be aborted. An eager call has run by then."""
        result = super().apply_async(args, kwargs, **options)
        if type(result) is not AsyncResult:
            return result
        return AbortableAsyncResult(result.id, self.app, ignored=result.ignored)

    def is_aborted(self, task_id: str | None = None) -> bool:
        """Whether this run, or the one of that id, was asked to stop. It reads the result backend every time.

        Raises:
            ValueError: outside a run, without an id.
        """
        wanted = task_id or self.request.id
        if not wanted:
            raise ValueError("is_aborted() needs a task that runs, or the id of one")
        return self.AsyncResult(wanted).is_aborted()


__all__ = ["AbortableAsyncResult", "AbortableTask"]
