"""What a Redis server refuses, as exceptions, and the code of the contracts for each (contracts.md, "Errors")."""

import ssl
from collections.abc import Mapping
from typing import Final

from kernel.errors import Code


class ReplyError(Exception):
    """The server answered with an error; its first word tells the kind."""


class Denied(ReplyError):
    """Credentials or rights are missing: NOAUTH, WRONGPASS, NOPERM."""


class Elsewhere(ReplyError):
    """The server does not serve the data now: a replica, a node without the slot, or one that still loads."""


class Full(ReplyError):
    """Its memory or disk is at its limit."""


class UnknownScript(ReplyError):
    """NOSCRIPT: it has to be sent once."""


class WrongType(ReplyError):
    """A key holds something else than what belongs there."""


_KINDS: Final[Mapping[str, type[ReplyError]]] = {
    "NOAUTH": Denied,
    "WRONGPASS": Denied,
    "NOPERM": Denied,
    "READONLY": Elsewhere,
    "LOADING": Elsewhere,
    "MASTERDOWN": Elsewhere,
    "CLUSTERDOWN": Elsewhere,
    "TRYAGAIN": Elsewhere,
    "MOVED": Elsewhere,
    "ASK": Elsewhere,
    "BUSY": Elsewhere,
    "NOREPLICAS": Elsewhere,
    "UNBLOCKED": Elsewhere,
    "MISCONF": Full,
    "OOM": Full,
    "NOSCRIPT": UnknownScript,
    "WRONGTYPE": WrongType,
}

CODES: Final[Mapping[type[BaseException], Code]] = {
    Denied: Code.AUTH,
    Elsewhere: Code.UNAVAILABLE,
    Full: Code.EXHAUSTED,
    WrongType: Code.CONFLICT,
    ReplyError: Code.INTERNAL,
    ssl.SSLCertVerificationError: Code.AUTH,
}
"""Native exception → code; what is not here, the kernel's defaults know."""


def reply_error(text: str) -> ReplyError:
    """The exception for an error reply. Errors inside a script carry the original's first word, after Redis 7."""
    kind = _KINDS.get(text.partition(" ")[0])
    if kind is None and "max number of clients" in text:
        kind = Elsewhere
    return (kind or ReplyError)(text)
