"""Errors of tasks and results, and the predicates a task raises to choose its own outcome (features.md 2.15)."""

from datetime import datetime

from kernel.errors.base import KernelError


class TaskPredicate(KernelError):
    """Raised by a task body to say what shall happen with it, instead of success or failure."""

    code = "PREDICATE"


class Retry(TaskPredicate):
    """The task is to be run again (features.md 1.23); raised by ``self.retry()``.

    Args:
        message: text for the log.
        exc: the exception that caused the retry, or its repr where the object did not survive the wire.
        when: seconds from now, or the point in time.
    """

    code = "RETRY"

    def __init__(
        self,
        message: str | None = None,
        exc: BaseException | str | None = None,
        when: float | datetime | None = None,
    ) -> None:
        self.message = message
        self.exc = exc if isinstance(exc, BaseException) else None
        self.excs = exc if isinstance(exc, str) else repr(exc) if exc is not None else None
        self.when = when
        super().__init__(message, self.excs, when if isinstance(when, (int, float)) else None)

    def humanize(self) -> str:
        """``in 3s`` or ``at 2026-11-21 …``."""
        return f"in {self.when}s" if isinstance(self.when, (int, float)) else f"at {self.when}"

    def __str__(self) -> str:
        if self.message:
            return self.message
        return f"Retry {self.humanize()}: {self.excs}" if self.excs else f"Retry {self.humanize()}"


class Ignore(TaskPredicate):
    """Store no state and acknowledge the message (features.md 1.25)."""

    code = "IGNORE"


class Reject(TaskPredicate):
    """Reject the message instead of acknowledging it (features.md 1.25).

    Args:
        reason: anything printable; goes with the message into the quarantine.
        requeue: True puts the message back, False quarantines it.
    """

    code = "REJECT"

    def __init__(self, reason: object = None, requeue: bool = False) -> None:
        super().__init__(reason, requeue)
        self.reason = reason
        self.requeue = requeue

    def __repr__(self) -> str:
        return f"reject requeue={self.requeue}: {self.reason}"


class TaskError(KernelError):
    """Base of the errors of tasks and their results."""

    code = "TASK"


class QueueNotFound(TaskError, KeyError):
    """A route or call names a queue that is not configured, with ``task_create_missing_queues`` off."""

    code = "QUEUE"

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class NotRegistered(TaskError, KeyError):
    """The worker has no task of that name."""

    code = "UNKNOWN-TASK"

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class AlreadyRegistered(TaskError):
    """Two tasks claim one name."""

    code = "DUPLICATE-TASK"


class TimeoutError(TaskError):  # noqa: A001 - the name users of the calling API know
    """``get(timeout=…)`` ended before the result was there."""

    code = "TIMEOUT"


class MaxRetriesExceededError(TaskError):
    """The task used up its retries (features.md 1.23)."""

    code = "RETRIES"

    def __init__(self, *args: object, task_args: object = None, task_kwargs: object = None) -> None:
        super().__init__(*args)
        self.task_args = task_args
        self.task_kwargs = task_kwargs


class TaskRevokedError(TaskError):
    """The task was revoked or had expired before it could run."""

    code = "REVOKED"


class InvalidTaskError(TaskError):
    """A message that is no valid task message (wire.md section 2)."""

    code = "INVALID-MESSAGE"


class ChordError(TaskError):
    """A member of a chord header failed, so its body cannot run."""

    code = "CHORD"


class IncompleteStream(TaskError):
    """A stream of results ended too early."""

    code = "STREAM"


class BackendError(KernelError):
    """The result store did not do what it was asked."""

    code = "BACKEND"


class BackendGetMetaError(BackendError):
    """A result could not be read."""

    code = "BACKEND-GET"


class BackendStoreError(BackendError):
    """A result could not be written."""

    code = "BACKEND-STORE"


class ResultsDisabled(BackendError, NotImplementedError):
    """A result was asked for without a result backend (features.md 1.3)."""

    code = "BACKEND-NONE"
