"""Rate limits of tasks: how many may start per time on one node (features.md 2.2)."""

import math

from kernel.errors import ImproperlyConfigured

_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_CURE = "Use such as '100/s', '10/m', '2/h', or a number per second; None is no limit."
_EARLY_S = 1e-6
"""Unix times are exact to a quarter of a microsecond: whoever is early by no more than this is in time."""


def parse_rate(rate: str | float | None) -> float | None:
    """Tasks per second of a rate limit; None when there is none (``None``, 0 or ``'0/s'``).

    Raises:
        ImproperlyConfigured: for a text that is no rate, and for a negative or infinite one.
    """
    if rate is None:
        return None
    try:
        per_second = _per_second(rate)
    except (ValueError, KeyError, TypeError):
        raise ImproperlyConfigured(f"Invalid rate limit {rate!r}.", cure=_CURE) from None
    if not math.isfinite(per_second) or per_second < 0:
        raise ImproperlyConfigured(f"Invalid rate limit {rate!r}.", cure=_CURE)
    return per_second or None


def _per_second(rate: str | float) -> float:
    if isinstance(rate, str):
        count, _, period = rate.strip().partition("/")
        return float(count) / _PERIODS[period.strip() or "s"]
    return float(rate)


class TokenBucket:
    """Lets one task start per ``1 / rate`` seconds. Time is passed in; not safe in several threads.

    Whoever finds no token is told when its turn comes, and every further one a turn later, so that a backlog which is
    put back with those delays returns one by one instead of all at once.

    Args:
        rate: tokens per second, above zero.
        capacity: tokens that may be saved up while nothing happens.
    """

    __slots__ = ("_capacity", "_filled_at", "_promised", "_rate", "_tokens")

    def __init__(self, rate: float, capacity: float = 1.0) -> None:
        self._rate = rate
        self._capacity = capacity
        self._tokens = capacity
        self._filled_at = -math.inf
        self._promised = -math.inf

    def take(self, now: float) -> float:
        """Take a token at Unix time ``now``.

        Returns:
            0.0 when a token was taken; else the seconds until this caller's turn, and nothing was taken.
        """
        if now > self._filled_at:
            gained = (now - self._filled_at) * self._rate
            self._tokens = min(self._capacity, self._tokens + gained)
            self._filled_at = now
        if self._tokens + self._rate * _EARLY_S >= 1.0:
            self._tokens = max(0.0, self._tokens - 1.0)
            return 0.0
        next_token = now + (1.0 - self._tokens) / self._rate
        self._promised = max(next_token, self._promised + 1.0 / self._rate)
        return self._promised - now
