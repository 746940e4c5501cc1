"""``celery.exceptions`` (features.md 2.15)."""

from types import TracebackType
from typing import NoReturn

from kernel.errors import (
    AlreadyRegistered,
    BackendError,
    BackendGetMetaError,
    BackendStoreError,
    ChordError,
    Ignore,
    ImproperlyConfigured,
    IncompleteStream,
    InvalidTaskError,
    KernelError,
    MaxRetriesExceededError,
    NotRegistered,
    OperationalError,
    QueueNotFound,
    Reject,
    Retry,
    SecurityError,
    SoftTimeLimitExceeded,
    TaskError,
    TaskPredicate,
    TaskRevokedError,
    Terminated,
    TimeLimitExceeded,
    TimeoutError,  # noqa: A004 - the documented name
    WorkerLostError,
    WorkerShutdown,
    WorkerTerminate,
)
from kernel.errors.warnings import AlwaysEagerIgnored, DuplicateTaskNameWarning, KernelWarning
from plugin_compat_celery.adapter.absent import missing

CeleryError = KernelError
CeleryWarning = KernelWarning
RetryTaskError = Retry
SystemTerminate = WorkerTerminate


class CeleryCommandException(KernelError):
    """A command of an application's own failed.

    Args:
        message: what happened.
        exit_code: what the program ends with.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DuplicateNodenameWarning(CeleryWarning):
    """Several workers answer to one name."""


class FixupWarning(CeleryWarning):
    """A fixup cannot do its work here."""


class NotConfigured(CeleryWarning):
    """There is no configuration to read."""


class SecurityWarning(CeleryWarning):
    """Something is allowed that may be dangerous."""


class CPendingDeprecationWarning(PendingDeprecationWarning):
    """Something of an application's that will go one day."""


class CDeprecationWarning(DeprecationWarning):
    """Something of an application's that will go soon."""


def reraise(tp: object, value: BaseException, tb: TracebackType | None = None) -> NoReturn:
    """Raise ``value`` with that traceback; its type ``tp`` is of old callers."""
    del tp
    raise value if tb is None else value.with_traceback(tb)


__getattr__ = missing(__name__)

__all__ = [
    "AlreadyRegistered",
    "AlwaysEagerIgnored",
    "BackendError",
    "BackendGetMetaError",
    "BackendStoreError",
    "CDeprecationWarning",
    "CPendingDeprecationWarning",
    "CeleryCommandException",
    "CeleryError",
    "CeleryWarning",
    "ChordError",
    "DuplicateNodenameWarning",
    "DuplicateTaskNameWarning",
    "FixupWarning",
    "Ignore",
    "ImproperlyConfigured",
    "IncompleteStream",
    "InvalidTaskError",
    "MaxRetriesExceededError",
    "NotConfigured",
    "NotRegistered",
    "OperationalError",
    "QueueNotFound",
    "Reject",
    "Retry",
    "SecurityError",
    "SecurityWarning",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "Terminated",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
    "WorkerShutdown",
    "WorkerTerminate",
    "reraise",
]
