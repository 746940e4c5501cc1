"""From an entry to a call, and from a failed call to what beat does next. Decisions only."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kernel.app.beat.entry import BeatLazyFunc
from kernel.errors import Code, DriverError

HEADER: Final = "celery_beat_task"
"""The header of messages sent by beat (wire.md 1.1)."""
PAUSES_S: Final = (0.5, 1.0, 2.0)
"""Seconds until an entry is sent again that the broker did not take; the last for all further times, so that a server
that is back is found within five seconds, the time of one try included."""


_OF_THE_SERVER: Final = frozenset({Code.AUTH, Code.CLOSED})
"""Not worth a retry within one call, and no fault of the entry: somebody will give beat the new password."""


class SchedulingError(Exception):
    """An entry could not be sent; the reason is its ``__cause__``."""


def arguments(args: Sequence[Any] | None) -> list[Any]:
    """Positional arguments with functions replaced by what they return now."""
    return [value() if isinstance(value, BeatLazyFunc) else value for value in args or ()]


def keywords(kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keyword arguments, likewise."""
    return {key: value() if isinstance(value, BeatLazyFunc) else value for key, value in (kwargs or {}).items()}


def with_header(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options of an entry, with the mark of beat among its headers; the entry's own stay as they are."""
    found = dict(options or {})
    found["headers"] = {**(found.get("headers") or {}), HEADER: True}
    return found


def may_pass(error: BaseException) -> bool:
    """Whether an entry that failed with this is kept for another try: a broker that is away comes back.

    Anything else (arguments that cannot be encoded, a queue that does not exist, a function that raises) fails again
    in the same way, so the entry waits for its next time.
    """
    reason = error.__cause__ if isinstance(error, SchedulingError) and error.__cause__ is not None else error
    if isinstance(reason, DriverError):
        return reason.retryable or reason.code in _OF_THE_SERVER
    return isinstance(reason, (ConnectionError, TimeoutError))


def pause_s(tries: int) -> float:
    """Seconds before the next try of an entry that failed so often, counted from 1."""
    return PAUSES_S[min(tries, len(PAUSES_S)) - 1]
