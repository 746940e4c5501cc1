"""Errors of executors and the exits of a worker (features.md 2.4, 2.15)."""

from kernel.errors.base import KernelError


class WorkerLostError(KernelError):
    """The executor that ran the task ended without an answer."""

    code = "WORKER-LOST"


class Terminated(KernelError):
    """The task was ended by a remote ``terminate``."""

    code = "TERMINATED"


class TimeLimitExceeded(KernelError):
    """The hard time limit passed and the executor was killed; the argument is the limit in seconds."""

    code = "HARD-LIMIT"


class SoftTimeLimitExceeded(KernelError):
    """Raised inside the task body when its soft time limit passes; the argument is the limit in seconds."""

    code = "SOFT-LIMIT"


class WorkerShutdown(SystemExit):
    """Ends the worker after running tasks have finished."""


class WorkerTerminate(SystemExit):
    """Ends the worker at once."""
