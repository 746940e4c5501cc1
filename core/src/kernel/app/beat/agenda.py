"""Which entry is next, and when: a heap, and the decision after each look at its top."""

from typing import Any, NamedTuple


class event_t(NamedTuple):  # noqa: N801 - the name that schedulers of others know
    """An entry in the heap: the Unix time to look at it, and what breaks a tie."""

    time: float
    priority: int
    entry: Any


PRIORITY = 5


def seconds_of(asked: object, otherwise: float) -> float:
    """The seconds a schedule gave; a schedule that gave none is looked at again after ``otherwise``."""
    number = isinstance(asked, (int, float)) and not isinstance(asked, bool) and asked == asked  # noqa: PLR0124 - not NaN
    return max(0.0, float(asked)) if number else otherwise  # type: ignore[arg-type] # checked above


def sleep_s(top: float, now: float, longest: float) -> float:
    """Seconds until the top of the heap is to be looked at, at most ``longest``."""
    return min(max(0.0, top - now), longest)
