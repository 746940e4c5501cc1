"""Every exception of the kernel, in one tree.

::

    Exception
    └── KernelError                     code, message, cure
        ├── DriverError                 raised by plugins: code, retryable, retry_after, outcome
        │   └── OperationalError        the broker could not take a message (features.md 1.9)
        ├── ImproperlyConfigured        a setting, URL or argument is wrong
        │   ├── PluginError             E101..E108, see :mod:`kernel.errors.setup`
        │   └── UnknownSetting          with the nearest known names
        ├── SecurityError               content that was not asked for
        ├── CodecError
        │   ├── EncodeError             a value the serializer cannot carry, with its path
        │   ├── DecodeError             bytes that are no value of the format
        │   └── ContentDisallowed       a content type outside ``accept_content``
        ├── TaskPredicate               raised by a task to choose its outcome
        │   ├── Retry · Ignore · Reject
        ├── TaskError
        │   ├── QueueNotFound · NotRegistered · AlreadyRegistered · TimeoutError
        │   ├── MaxRetriesExceededError · TaskRevokedError · InvalidTaskError
        │   └── ChordError · IncompleteStream
        ├── BackendError
        │   ├── BackendGetMetaError · BackendStoreError · ResultsDisabled
        ├── WorkerLostError · Terminated · TimeLimitExceeded · SoftTimeLimitExceeded
    SystemExit
    └── WorkerShutdown · WorkerTerminate

This package imports nothing else of the kernel.
"""

from kernel.errors.base import KernelError
from kernel.errors.codec import CodecError, ContentDisallowed, DecodeError, EncodeError
from kernel.errors.driver import Applied, Code, DriverError, OperationalError
from kernel.errors.setup import (
    ImproperlyConfigured,
    PluginError,
    SecurityError,
    UnknownSetting,
)
from kernel.errors.task import (
    AlreadyRegistered,
    BackendError,
    BackendGetMetaError,
    BackendStoreError,
    ChordError,
    Ignore,
    IncompleteStream,
    InvalidTaskError,
    MaxRetriesExceededError,
    NotRegistered,
    QueueNotFound,
    Reject,
    ResultsDisabled,
    Retry,
    TaskError,
    TaskPredicate,
    TaskRevokedError,
    TimeoutError,  # noqa: A004 - the name users of the calling API know (features.md 2.15)
)
from kernel.errors.worker import (
    SoftTimeLimitExceeded,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
    WorkerShutdown,
    WorkerTerminate,
)

__all__ = [
    "AlreadyRegistered",
    "Applied",
    "BackendError",
    "BackendGetMetaError",
    "BackendStoreError",
    "ChordError",
    "Code",
    "CodecError",
    "ContentDisallowed",
    "DecodeError",
    "DriverError",
    "EncodeError",
    "Ignore",
    "ImproperlyConfigured",
    "IncompleteStream",
    "InvalidTaskError",
    "KernelError",
    "MaxRetriesExceededError",
    "NotRegistered",
    "OperationalError",
    "PluginError",
    "QueueNotFound",
    "Reject",
    "ResultsDisabled",
    "Retry",
    "SecurityError",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "Terminated",
    "TimeLimitExceeded",
    "TimeoutError",
    "UnknownSetting",
    "WorkerLostError",
    "WorkerShutdown",
    "WorkerTerminate",
]
