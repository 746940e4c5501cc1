"""``celery.utils.time``: time zones and differences."""

import random
from calendar import day_abbr, month_abbr
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from numbers import Real
from time import localtime
from typing import Any
from zoneinfo import ZoneInfo

from kernel.engine.ratelimit import parse_rate
from plugin_compat_celery.adapter.absent import missing

_UNITS = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))


class _Zones:
    """Time zones by name; ``utc`` and ``local`` are two of them."""

    utc = UTC

    @property
    def local(self) -> tzinfo:
        """The zone of this machine."""
        zone = datetime.now(UTC).astimezone().tzinfo
        return zone or UTC

    def get_timezone(self, zone: tzinfo | str) -> tzinfo:
        """The zone of that name.

        Raises:
            ZoneInfoNotFoundError: there is none.
        """
        return ZoneInfo(zone) if isinstance(zone, str) else zone

    def tz_or_local(self, tzinfo: tzinfo | str | None = None) -> tzinfo:
        """That zone, or this machine's."""
        return self.local if tzinfo is None else self.get_timezone(tzinfo)

    def to_local(self, dt: datetime, local: tzinfo | None = None, orig: tzinfo | None = None) -> datetime:
        """A time as clocks here show it; one without a zone is in ``orig``, or UTC."""
        return maybe_make_aware(dt, orig or UTC).astimezone(self.tz_or_local(local))

    def to_system(self, dt: datetime) -> datetime:
        """A time as clocks here show it."""
        return dt.astimezone()


timezone = _Zones()


def maybe_timedelta(delta: Any) -> Any:
    """A number of seconds as a timedelta; anything else is returned as it is."""
    return timedelta(seconds=float(delta)) if isinstance(delta, Real) else delta


def rate(r: str | float | None) -> float:
    """``'100/m'`` in tasks a second; 0 is no limit."""
    parsed = parse_rate(r)
    return float(parsed) if parsed else 0.0


def weekday(name: str) -> int:
    """The number of a day of the week, Sunday is 0, from the first three letters of its name.

    Raises:
        KeyError: there is no such day.
    """
    short = name[:3].lower()
    days = {day.lower(): (index + 1) % 7 for index, day in enumerate(day_abbr)}
    return days[short]


def yearmonth(name: str) -> int:
    """The number of a month, January is 1, from the first three letters of its name.

    Raises:
        KeyError: there is no such month.
    """
    months = {month.lower(): index for index, month in enumerate(month_abbr) if month}
    return months[name[:3].lower()]


def humanize_seconds(secs: float, prefix: str = "", sep: str = "", now: str = "now", microseconds: bool = False) -> str:
    """Seconds in words, in the largest unit there is one of: ``in 2.00 minutes``."""
    secs = float(f"{float(secs):.2f}")
    for unit, size in _UNITS:
        if secs >= size or (microseconds and unit == "second" and secs > 0):
            number = secs / size
            return f"{prefix}{sep}{number:.2f} {unit}{'' if number == 1 else 's'}"
    return now


def maybe_iso8601(dt: datetime | str | None) -> datetime | None:
    """A time from its ISO 8601 text; a datetime and None are returned as they are."""
    return datetime.fromisoformat(dt) if isinstance(dt, str) and dt else dt or None


def is_naive(dt: datetime) -> bool:
    """Whether a time says nothing of its zone."""
    return dt.tzinfo is None or dt.utcoffset() is None


def make_aware(dt: datetime, tz: tzinfo) -> datetime:
    """A time in that zone: clocks there show what a time without a zone says."""
    return dt.replace(tzinfo=tz) if is_naive(dt) else dt.astimezone(tz)


def maybe_make_aware(dt: datetime, tz: tzinfo | None = None, naive_as_utc: bool = True) -> datetime:
    """A time with a zone; one without is in UTC, and then converted to ``tz``, if there is one."""
    if is_naive(dt):
        dt = dt.replace(tzinfo=UTC if naive_as_utc or tz is None else tz)
        return dt if tz is None else dt.astimezone(tz)
    return dt


def localize(dt: datetime, tz: tzinfo) -> datetime:
    """A time converted to a zone."""
    return dt.astimezone(tz)


def to_utc(dt: datetime) -> datetime:
    """A time in UTC."""
    return make_aware(dt, UTC)


def remaining(start: datetime, ends_in: timedelta, now: datetime | None = None, relative: bool = False) -> timedelta:
    """How long until ``start + ends_in``; negative when that is over.

    Args:
        start: when it began.
        ends_in: how long it takes.
        now: the present; None asks the clock.
        relative: the end is rounded down to the unit of ``ends_in``.
    """
    present = now or datetime.now(start.tzinfo or UTC).replace(tzinfo=start.tzinfo)
    end = start + ends_in
    if relative:
        end = delta_resolution(end, ends_in)
    return end - present


def delta_resolution(dt: datetime, delta: timedelta) -> datetime:
    """A time rounded down to the day, hour or minute, whichever is the unit of ``delta``."""
    seconds = max(delta.total_seconds(), 0.0)
    if seconds >= _UNITS[0][1]:
        return dt.replace(hour=0, minute=0, second=0, microsecond=0)
    if seconds >= _UNITS[1][1]:
        return dt.replace(minute=0, second=0, microsecond=0)
    if seconds >= _UNITS[2][1]:
        return dt.replace(second=0, microsecond=0)
    return dt


def utcoffset() -> int:
    """Hours of this machine's clocks behind UTC."""
    return -int((localtime().tm_gmtoff or 0) // 3600)


def adjust_timestamp(ts: float, offset: float, here: Callable[[], float] = utcoffset) -> float:
    """A Unix time of a machine whose clocks are ``offset`` hours behind UTC, as clocks here would have given it."""
    return ts - (offset - here()) * 3600.0


def get_exponential_backoff_interval(factor: int, retries: int, maximum: int, full_jitter: bool = False) -> int:
    """Seconds to wait before the next try (features.md 1.23)."""
    seconds: int = min(maximum, factor * (2**retries))
    if full_jitter:
        seconds = random.randrange(seconds + 1)  # noqa: S311 - no secret depends on it
    return max(0, seconds)


__getattr__ = missing(__name__)

__all__ = [
    "adjust_timestamp",
    "delta_resolution",
    "get_exponential_backoff_interval",
    "humanize_seconds",
    "is_naive",
    "localize",
    "make_aware",
    "maybe_iso8601",
    "maybe_make_aware",
    "maybe_timedelta",
    "rate",
    "remaining",
    "timezone",
    "to_utc",
    "utcoffset",
    "weekday",
]
