"""From the exceptions of a client library to the one class of the contracts."""

import errno
from collections.abc import Iterable, Mapping
from typing import Final

from kernel.errors import Applied, Code, DriverError
from kernel.model.urls import MASK

DEFAULTS: Final[Mapping[type[BaseException], Code]] = {
    TimeoutError: Code.TIMEOUT,
    ConnectionError: Code.UNAVAILABLE,
    OSError: Code.UNAVAILABLE,
    NotImplementedError: Code.UNSUPPORTED,
}
"""What needs no entry of the author's. A full disk is EXHAUSTED, anything unknown is INTERNAL."""

BROKEN: Final = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.CLOSED, Code.INTERNAL})
"""Codes after which a connection is not used again: it is lost, or in a state nobody knows."""

_DOUBTFUL: Final = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.INTERNAL, Code.CLOSED})


class Natives:
    """Translates native exceptions; the most specific class of the author's table wins, then :data:`DEFAULTS`.

    Args:
        owner: whose errors they are, for messages.
        table: native exception class → code.
        secrets: texts that never appear in a message, such as the URL's password.
    """

    def __init__(self, owner: str, table: Mapping[type[BaseException], Code], secrets: Iterable[str] = ()) -> None:
        self._owner = owner
        self._tables = (table, DEFAULTS)
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def translate(self, error: Exception, what: str, *, reached: bool = True) -> DriverError:
        """The error to raise or return instead; the native one is its cause. One of the contract's passes unchanged.

        Args:
            error: what the client library raised.
            what: the operation, for the message.
            reached: whether the request may have reached the server, so that a lost connection leaves it UNKNOWN.
        """
        if isinstance(error, DriverError):
            return error
        code = self._code(error)
        doubtful = reached and code in _DOUBTFUL
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        found = DriverError(
            code,
            f"{self._owner}: {what} failed: {text}",
            outcome=Applied.UNKNOWN if doubtful else Applied.NOT_APPLIED,
            cure=_CURES.get(code, ""),
        )
        found.__cause__ = error
        return found

    def _code(self, error: Exception) -> Code:
        if type(error) is OSError and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Code.EXHAUSTED
        for table in self._tables:
            for ancestor in type(error).__mro__:
                if ancestor in table:
                    return table[ancestor]
        return Code.INTERNAL


_CURES: Final[Mapping[Code, str]] = {
    Code.UNAVAILABLE: "See whether the server runs and can be reached.",
    Code.TIMEOUT: "Allow more time, or see what keeps the server busy.",
    Code.AUTH: "Correct the credentials in the URL.",
    Code.NOT_FOUND: "Declare the queue first, for example in task_queues.",
    Code.LEASE_LOST: "Do nothing: it was settled, or somebody else has it now.",
    Code.INTERNAL: "Report it to the plugin's author.",
}
