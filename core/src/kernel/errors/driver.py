"""What a plugin raises or returns when its server, store or format does not do what was asked."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from kernel.errors.base import KernelError


class Code(StrEnum):
    """Why an operation of a driver did not succeed (contracts.md, "Errors")."""

    UNAVAILABLE = "UNAVAILABLE"
    """The server cannot be reached, or said it cannot serve now."""
    TIMEOUT = "TIMEOUT"
    """The deadline passed before an answer came."""
    AUTH = "AUTH"
    """Credentials or certificates were refused; retrying does not help."""
    NOT_FOUND = "NOT_FOUND"
    """The queue or key does not exist."""
    CONFLICT = "CONFLICT"
    """The thing exists with other properties."""
    INVALID = "INVALID"
    """An argument is outside what the driver accepts."""
    TOO_LARGE = "TOO_LARGE"
    """Above a declared limit; the message names the limit."""
    UNSUPPORTED = "UNSUPPORTED"
    """A capability the driver does not claim."""
    EXHAUSTED = "EXHAUSTED"
    """A quota, a disk or a cool-down; ``retry_after`` says when to come back, if known."""
    LEASE_LOST = "LEASE_LOST"
    """The receipt is outdated: somebody else owns the message now."""
    CLOSED = "CLOSED"
    """The driver, consumer or handle was closed."""
    CORRUPT = "CORRUPT"
    """Stored or received bytes are damaged."""
    INTERNAL = "INTERNAL"
    """A defect of the plugin."""


class Applied(StrEnum):
    """Whether the operation took effect, as far as the driver can know (Jepsen's ok, fail and info)."""

    NOT_APPLIED = "NOT_APPLIED"
    APPLIED = "APPLIED"
    UNKNOWN = "UNKNOWN"


_RETRYABLE = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.EXHAUSTED})


class DriverError(KernelError):
    """The one exception class of the plugin contracts.

    Native exceptions never escape a driver; they are kept as ``__cause__``. Only an error that is
    ``retryable`` with ``outcome`` NOT_APPLIED or UNKNOWN may be retried, and after UNKNOWN only with the same
    message id or deduplication id.

    Args:
        code: why.
        message: what happened, with which value.
        retryable: whether trying again can help; by default true for UNAVAILABLE, TIMEOUT and EXHAUSTED.
        retry_after: seconds to wait first, or None when the server gave no hint.
        outcome: whether the operation took effect.
        cure: what to do.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        outcome: Applied = Applied.NOT_APPLIED,
        cure: str = "",
    ) -> None:
        super().__init__(message, cure=cure)
        self.code = code
        self.retryable = code in _RETRYABLE if retryable is None else retryable
        self.retry_after = retry_after
        self.outcome = outcome

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, str(self), self.retryable, self.retry_after, self.outcome, self.cure))


class OperationalError(DriverError):
    """The broker could not take a message: unreachable, or it refused after the publish retries.

    Raised by ``delay``, ``apply_async`` and ``send_task``, and reachable as ``task.OperationalError``
    (features.md 1.9).

    Attributes:
        failed: task id → error, for every message of the batch that was not taken; the others were.
    """

    failed: Mapping[str, DriverError] = MappingProxyType({})

    def __init__(self, message: str = "", *, cure: str = "", code: Code = Code.UNAVAILABLE) -> None:
        super().__init__(code, message, cure=cure)


def _rebuild(  # noqa: PLR0913 - mirrors the constructor for pickling between processes
    cls: type[DriverError],
    code: Code,
    message: str,
    retryable: bool,
    retry_after: float | None,
    outcome: Applied,
    cure: str,
) -> DriverError:
    error = cls.__new__(cls)
    DriverError.__init__(error, code, message, retryable=retryable, retry_after=retry_after, outcome=outcome, cure=cure)
    return error
