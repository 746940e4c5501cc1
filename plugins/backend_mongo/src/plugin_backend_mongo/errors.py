"""What the client library raises, in the words of the contracts."""

from collections.abc import Iterable

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
_BY_CLASS: tuple[tuple[type[BaseException], Code], ...] = (
    (errors.DocumentTooLarge, Code.TOO_LARGE),
    (errors.ExecutionTimeout, Code.TIMEOUT),
    (errors.WTimeoutError, Code.TIMEOUT),
    (errors.NetworkTimeout, Code.TIMEOUT),
    (errors.ConnectionFailure, Code.UNAVAILABLE),
    (errors.WaitQueueTimeoutError, Code.UNAVAILABLE),
    (errors.ConfigurationError, Code.INVALID),
    (errors.InvalidName, Code.INVALID),
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
    if isinstance(error, errors.OperationFailure) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    lost = isinstance(error, errors.ServerSelectionTimeoutError)
    if lost and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Code.AUTH
    if isinstance(error, errors.PyMongoError) and error.timeout and not lost:
        return Code.TIMEOUT
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), Code.INTERNAL)


def _short(error: Exception) -> str:
    """Its message without the description of the whole topology."""
    text = str(error) or type(error).__name__
    for rest in (", Timeout:", ", full error:", " (configured timeouts:"):
        text = text.partition(rest)[0]
    return " ".join(text.split())[:_SHOWN]


def code_of_write(code: int) -> Code:
    """Why a server refused one write of several."""
    return _BY_CODE.get(code, Code.INVALID)
