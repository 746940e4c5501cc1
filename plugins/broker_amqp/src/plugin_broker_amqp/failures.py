"""From AMQP's reply codes and py-amqp's exceptions to the one class of the contracts."""

import ssl
from collections.abc import Mapping
from typing import Final

import amqp.exceptions as native

from kernel.contracts.simple.natives import Natives
from kernel.errors import Applied, Code, DriverError

ERRORS: Final[Mapping[type[BaseException], Code]] = {
    native.AMQPError: Code.INTERNAL,
    native.ConnectionError: Code.UNAVAILABLE,
    native.RecoverableConnectionError: Code.UNAVAILABLE,
    native.ConnectionForced: Code.UNAVAILABLE,
    native.InternalError: Code.UNAVAILABLE,
    native.ResourceError: Code.EXHAUSTED,
    native.AccessRefused: Code.AUTH,
    native.NotAllowed: Code.AUTH,
    native.NotFound: Code.NOT_FOUND,
    native.PreconditionFailed: Code.CONFLICT,
    native.ResourceLocked: Code.CONFLICT,
    ssl.SSLCertVerificationError: Code.AUTH,
    ssl.SSLError: Code.UNAVAILABLE,
}
"""Native class → code."""

NATIVE: Final = (native.AMQPError, OSError)
"""What py-amqp raises."""

_REPLIES: Final[Mapping[int, Code]] = {
    311: Code.TOO_LARGE,
    312: Code.NOT_FOUND,
    320: Code.UNAVAILABLE,
    402: Code.INVALID,
    403: Code.AUTH,
    404: Code.NOT_FOUND,
    405: Code.CONFLICT,
    406: Code.CONFLICT,
    506: Code.EXHAUSTED,
    530: Code.AUTH,
    541: Code.UNAVAILABLE,
}
_CURES: Final[Mapping[Code, str]] = {
    Code.NOT_FOUND: "Declare the queue first, for example in task_queues.",
    Code.CONFLICT: "Declare it as it is on the server, or delete it there first.",
    Code.AUTH: "Give the user the permissions it needs.",
    Code.UNAVAILABLE: "See whether the server runs and can be reached.",
}


def of_reply(code: int, text: str, what: str, outcome: Applied = Applied.NOT_APPLIED) -> DriverError:
    """The error for a channel that the server closed; its cause is the exception py-amqp has for it."""
    found = Code.TOO_LARGE if "max size" in text else _REPLIES.get(code, Code.INTERNAL)
    error = DriverError(found, f"RabbitMQ refuses {what}: {text} ({code})", outcome=outcome, cure=_CURES.get(found, ""))
    error.__cause__ = native.error_for_code(code, text, (0, 0), native.ChannelError)
    return error


def is_ack_timeout(reason: tuple[int, str]) -> bool:
    """Whether the server closed a channel because a delivery was not acknowledged within ``consumer_timeout``."""
    return reason[0] == native.PreconditionFailed.code and "timed out" in reason[1]


def timeout(what: str, outcome: Applied = Applied.UNKNOWN) -> DriverError:
    """The error for an answer that did not come in time."""
    error = DriverError(
        Code.TIMEOUT,
        f"{what} did not finish by its deadline",
        outcome=outcome,
        cure="Allow more time, or see the server.",
    )
    error.__cause__ = TimeoutError(what)
    return error


def lost(what: str, cause: BaseException, outcome: Applied = Applied.UNKNOWN) -> DriverError:
    """The error for a connection that ended meanwhile."""
    error = DriverError(
        Code.UNAVAILABLE, f"The connection to RabbitMQ was lost: {what}", outcome=outcome, cure=_CURES[Code.UNAVAILABLE]
    )
    error.__cause__ = cause
    return error


def again(error: DriverError, outcome: Applied | None = None) -> DriverError:
    """The same error for another call, which may know better what was applied."""
    found = DriverError(
        Code(error.code), str(error), outcome=error.outcome if outcome is None else outcome, cure=error.cure
    )
    found.__cause__ = error.__cause__ or error
    return found


def translator(owner: str, secrets: tuple[str, ...]) -> Natives:
    """What turns native exceptions into errors of this broker."""
    return Natives(owner, ERRORS, secrets)
