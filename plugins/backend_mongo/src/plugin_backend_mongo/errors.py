"""What the client library raises, in the words of the contracts."""

from collections.abc import Iterable

from bson.errors import BSONError, InvalidBSON
from dns.exception import DNSException
from pymongo import errors

from kernel.errors import Applied, Code, DriverError
from kernel.model.urls import MASK

DUPLICATE = 11000
_BY_CODE = {
    11: Code.AUTH,  # the user does not exist
    13: Code.AUTH,
    18: Code.AUTH,
    8000: Code.AUTH,  # what a hosted server says of wrong credentials
    50: Code.TIMEOUT,
    262: Code.TIMEOUT,  # the server's own limit of time
    24: Code.TIMEOUT,  # a lock was not had in time
    6: Code.UNAVAILABLE,  # a server behind this one cannot be reached: 6, 7, 89, 9001, 133
    7: Code.UNAVAILABLE,
    89: Code.UNAVAILABLE,
    9001: Code.UNAVAILABLE,
    133: Code.UNAVAILABLE,
    134: Code.UNAVAILABLE,  # a majority has not caught up yet
    64: Code.UNAVAILABLE,  # written here, and not yet where the write concern says
    91: Code.UNAVAILABLE,  # it is shutting down: 91, 11600
    11600: Code.UNAVAILABLE,
    189: Code.UNAVAILABLE,  # it is the primary no more, or not yet: 189, 10058, 10107, 11602, 13435, 13436
    10058: Code.UNAVAILABLE,
    10107: Code.UNAVAILABLE,
    11602: Code.UNAVAILABLE,
    13435: Code.UNAVAILABLE,
    13436: Code.UNAVAILABLE,
    11601: Code.UNAVAILABLE,  # somebody ended the operation
    112: Code.UNAVAILABLE,  # two writes met, and this one is to be repeated
    43: Code.UNAVAILABLE,  # the rest of an answer is gone, as after a restart of the server: 43, 237
    237: Code.UNAVAILABLE,
    9: Code.INVALID,  # what the command says cannot be read, or done: 2, 9, 20, 72, 73, 79, 100
    2: Code.INVALID,
    20: Code.INVALID,
    72: Code.INVALID,
    73: Code.INVALID,
    79: Code.INVALID,
    100: Code.INVALID,
    59: Code.UNSUPPORTED,
    115: Code.UNSUPPORTED,
    85: Code.CONFLICT,
    86: Code.CONFLICT,
    10334: Code.TOO_LARGE,
    17419: Code.TOO_LARGE,
    17420: Code.TOO_LARGE,
    14031: Code.EXHAUSTED,
    39: Code.EXHAUSTED,  # the storage engine's cache is full
}
"""Codes of the server."""
_LABELS = ("RetryableWriteError", "RetryableError", "TransientTransactionError")
"""How a server marks what may be tried again; its codes are more than are listed here."""
_BY_CLASS: tuple[tuple[type[BaseException], Code], ...] = (
    (errors.DocumentTooLarge, Code.TOO_LARGE),
    (errors.ExecutionTimeout, Code.TIMEOUT),
    (errors.WTimeoutError, Code.TIMEOUT),
    (errors.NetworkTimeout, Code.TIMEOUT),
    (errors.ConnectionFailure, Code.UNAVAILABLE),  # lost, cancelled in flight, not the primary, none to be had
    (errors.ProtocolError, Code.UNAVAILABLE),  # what came is no answer; the library closes such a connection
    (errors.CursorNotFound, Code.UNAVAILABLE),
    (errors.WriteConcernError, Code.UNAVAILABLE),
    (errors.DuplicateKeyError, Code.CONFLICT),
    (errors.ConfigurationError, Code.INVALID),
    (errors.InvalidName, Code.INVALID),
    (errors.CollectionInvalid, Code.INVALID),
    (InvalidBSON, Code.CORRUPT),
    (BSONError, Code.INVALID),
    (OverflowError, Code.INVALID),
)
_DOUBTFUL = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.INTERNAL})
_CURES = {
    Code.UNAVAILABLE: "See whether the server runs and can be reached.",
    Code.TIMEOUT: "Allow more time, or see what keeps the server busy.",
    Code.AUTH: "Correct the credentials or certificates, or what the user may do.",
    Code.TOO_LARGE: "Return a reference to the data instead.",
}
_SHOWN = 300


class Translation:
    """Turns errors into :class:`~kernel.errors.DriverError`.

    Args:
        owner: whose errors they are, for messages.
        secrets: texts that no message may have.
    """

    def __init__(self, owner: str, secrets: Iterable[str]) -> None:
        self._owner = owner
        self._secrets = tuple(secrets)

    def __call__(self, error: Exception, what: str) -> DriverError:
        """The error to raise instead."""
        if isinstance(error, DriverError):
            return error
        found = self.told(code_of(error), f"{what} failed: {_short(error)}")
        found.__cause__ = error
        return found

    def told(self, code: Code, text: str) -> DriverError:
        """An error in these words."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        outcome = Applied.UNKNOWN if code in _DOUBTFUL else Applied.NOT_APPLIED
        return DriverError(code, f"{self._owner}: {text}", outcome=outcome, cure=_CURES.get(code, ""))


def code_of(error: Exception) -> Code:
    """Why it failed."""
    if isinstance(error, errors.BulkWriteError):
        return _code_of_batch(error)
    if isinstance(error, errors.ConfigurationError) and isinstance(error.__cause__, DNSException):
        return Code.UNAVAILABLE  # the names behind mongodb+srv could not be asked for
    said = _said(error) if isinstance(error, errors.PyMongoError) else None
    return said or next((code for kind, code in _BY_CLASS if isinstance(error, kind)), Code.INTERNAL)


def _said(error: errors.PyMongoError) -> Code | None:
    """What an error tells beside its class."""
    if isinstance(error, errors.ServerSelectionTimeoutError):
        return Code.AUTH if "CERTIFICATE_VERIFY_FAILED" in str(error) else None
    if error.timeout:
        return Code.TIMEOUT
    if isinstance(error, errors.OperationFailure) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return Code.UNAVAILABLE if any(map(error.has_error_label, _LABELS)) else None


def _code_of_batch(error: errors.BulkWriteError) -> Code:
    """Why a batch failed that was not refused record by record: by its write concern, if anything."""
    if error.timeout:
        return Code.TIMEOUT
    concerns = error.details.get("writeConcernErrors", ())
    refused = error.details.get("writeErrors", ())
    if concerns:
        return _BY_CODE.get(concerns[-1].get("code"), Code.UNAVAILABLE)
    return code_of_write(refused[-1]["code"]) if refused else Code.INTERNAL


def _short(error: Exception) -> str:
    """Its message without the description of the whole topology."""
    text = str(error) or type(error).__name__
    for rest in (", Timeout:", ", full error:", " (configured timeouts:"):
        text = text.partition(rest)[0]
    return " ".join(text.split())[:_SHOWN]


def code_of_write(code: int) -> Code:
    """Why a server refused one write of several."""
    return _BY_CODE.get(code, Code.INVALID)
