"""Times to live as memcached takes them: whole seconds, and dates for what is longer than a month."""

import math

LONGEST_RELATIVE_S = 30 * 86_400
"""A larger number is a date for the server, and one of 1970 at that."""
_LAST_DATE = 2**31 - 1
GRANULARITY_S = 2.0
"""How much longer than asked a value may live: a second for rounding up, and one because the server's clock ticks once
a second, so that what it stores may lose up to one."""


def expiry(ttl_s: float | None, now: float) -> int:
    """The number for a value that must live for ``ttl_s`` seconds; 0 is for ever.

    Args:
        ttl_s: seconds, None for ever.
        now: Unix time.
    """
    if ttl_s is None:
        return 0
    if ttl_s <= 0:
        return -1
    if ttl_s + GRANULARITY_S > LONGEST_RELATIVE_S:
        return min(math.ceil(now + ttl_s) + 1, _LAST_DATE) if math.isfinite(ttl_s) else 0
    return math.ceil(ttl_s) + 1
