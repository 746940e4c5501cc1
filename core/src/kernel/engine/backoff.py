"""How long to wait before connecting again."""

from collections.abc import Callable

FIRST_S = 0.1
LONGEST_S = 2.0
"""With the time of an attempt itself, a server that is back is found within five seconds (pains P01)."""


def reconnect_delay(failures: int, uniform: Callable[[float, float], float]) -> float:
    """Seconds before the next attempt after ``failures`` of them in a row (from 1).

    Doubles from 0.1 s to at most 2 s; the upper half is random, so that a fleet does not come back in step.
    """
    ceiling = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 16))
    return uniform(ceiling / 2.0, ceiling)
