"""From what the server answers to the errors of the contract. What the SDK raises is translated beside the SDK."""

from collections.abc import Mapping
from typing import Any, Final

from kernel.errors import Applied, Code, DriverError

PURGE_PAUSE_S: Final = 60.0
THROTTLE_PAUSE_S: Final = 1.0

_CODES: Final[Mapping[str, Code]] = {
    "NonExistentQueue": Code.NOT_FOUND,
    "QueueDoesNotExist": Code.NOT_FOUND,
    "QueueAlreadyExists": Code.CONFLICT,
    "QueueNameExists": Code.CONFLICT,
    "ReceiptHandleIsInvalid": Code.LEASE_LOST,
    "MessageNotInflight": Code.LEASE_LOST,
    "BatchRequestTooLong": Code.TOO_LARGE,
    "PurgeQueueInProgress": Code.EXHAUSTED,
    "QueueDeletedRecently": Code.EXHAUSTED,
    "OverLimit": Code.EXHAUSTED,
    "RequestThrottled": Code.EXHAUSTED,
    "Throttling": Code.EXHAUSTED,
    "ThrottlingException": Code.EXHAUSTED,
    "TooManyRequestsException": Code.EXHAUSTED,
    "KmsThrottled": Code.EXHAUSTED,
    "UnsupportedOperation": Code.UNSUPPORTED,
    "InvalidClientTokenId": Code.AUTH,
    "UnrecognizedClientException": Code.AUTH,
    "SignatureDoesNotMatch": Code.AUTH,
    "IncompleteSignature": Code.AUTH,
    "MissingAuthenticationToken": Code.AUTH,
    "AuthFailure": Code.AUTH,
    "AccessDenied": Code.AUTH,
    "AccessDeniedException": Code.AUTH,
    "InvalidAccessKeyId": Code.AUTH,
    "ExpiredToken": Code.AUTH,
    "ExpiredTokenException": Code.AUTH,
    "RequestTimeTooSkewed": Code.AUTH,
    "OptInRequired": Code.AUTH,
    "KmsAccessDenied": Code.AUTH,
}
_STATUS: Final[Mapping[int, Code]] = {401: Code.AUTH, 403: Code.AUTH, 413: Code.TOO_LARGE, 429: Code.EXHAUSTED}
_PAUSES: Final[Mapping[str, float]] = {"PurgeQueueInProgress": PURGE_PAUSE_S, "QueueDeletedRecently": PURGE_PAUSE_S}
_CURES: Final[Mapping[Code, str]] = {
    Code.NOT_FOUND: "Declare the queue first, for example in task_queues.",
    Code.CONFLICT: "Declare it as it is, or delete the queue first.",
    Code.AUTH: "Check the credentials, their rights (see the plugin's README), the region and the clock.",
    Code.LEASE_LOST: "Do nothing: it was settled, or somebody else has it now.",
    Code.TOO_LARGE: "Store the data elsewhere and send a reference to it, or compress it.",
    Code.INVALID: "Correct the call.",
    Code.UNAVAILABLE: "See whether the endpoint runs and can be reached.",
}
_OURS: Final = ("Invalid", "Missing", "Malformed")
"""Codes that begin so are the caller's fault, also where a server does not say so (``SenderFault``)."""
_SERVER_ERROR: Final = 500
_EXPIRED_RECEIPT: Final = "ReceiptHandle"


def answered(error: Mapping[str, Any], status: int, what: str) -> DriverError:
    """The error for a request that the server refused.

    Args:
        error: ``Code`` and ``Message`` as the server gave them.
        status: the HTTP status; 500 and above leaves it open whether the request took effect.
        what: the operation, for the message.
    """
    name = str(error.get("Code", "")).rpartition(".")[2].rpartition("#")[2]
    text = " ".join(str(error.get("Message", "")).split())
    code = _code(name, text, status)
    doubtful = code is Code.UNAVAILABLE
    pause = _PAUSES.get(name, THROTTLE_PAUSE_S) if code is Code.EXHAUSTED else None
    return DriverError(
        code,
        f"SQS refused {what}: {name or f'status {status}'}{f': {text}' if text else ''}",
        retry_after=pause,
        outcome=Applied.UNKNOWN if doubtful else Applied.NOT_APPLIED,
        cure=_CURES.get(code, "") if pause is None else f"Come back in {pause:g} s.",
    )


def entry_failed(entry: Mapping[str, Any], what: str) -> DriverError:
    """The error for one entry of a batch; ``SenderFault`` says whether sending it again can help."""
    status = 400 if entry.get("SenderFault", True) else _SERVER_ERROR
    return answered(entry, status, what)


def not_answered(what: str) -> DriverError:
    """The error for an entry that the answer to its batch does not mention: nobody knows what became of it."""
    return DriverError(
        Code.UNAVAILABLE,
        f"SQS answered the batch without a word about {what}",
        outcome=Applied.UNKNOWN,
        cure=_CURES[Code.UNAVAILABLE],
    )


def not_tried(error: DriverError) -> DriverError:
    """The fate of what stood behind a request whose connection was lost: certainly not sent."""
    found = DriverError(
        Code(error.code),
        f"Not tried, because of an earlier failure: {error}",
        retry_after=error.retry_after,
        outcome=Applied.NOT_APPLIED,
        cure=error.cure,
    )
    found.__cause__ = error
    return found


def lease_lost(message_id: str) -> DriverError:
    """The error for a delivery that this receipt does not hold any more."""
    return DriverError(
        Code.LEASE_LOST,
        f"The delivery of message {message_id!r} is no longer held by this receipt",
        cure=_CURES[Code.LEASE_LOST],
    )


def _code(name: str, text: str, status: int) -> Code:
    if name in _CODES:
        return _CODES[name]
    if name == "InvalidParameterValue" and _EXPIRED_RECEIPT in text:
        return Code.LEASE_LOST  # AWS says so of a message that was deleted, or whose receipt is too old
    if name.startswith(_OURS):
        return Code.INVALID
    if status >= _SERVER_ERROR:
        return Code.UNAVAILABLE
    return _STATUS.get(status, Code.INVALID)
