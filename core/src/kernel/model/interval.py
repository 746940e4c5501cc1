"""When an interval is over: by elapsed time, or rounded to the clock of a zone (features.md 2.3)."""

from datetime import UTC, datetime, timedelta, tzinfo

from kernel.model.cron_times import first_instant

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def interval_end(start: datetime, every: timedelta, zone: tzinfo, *, relative: bool = False) -> datetime:
    """The moment, in UTC, when an interval that began at ``start`` is over; seconds that passed are what counts.

    Args:
        start: an aware datetime.
        every: its length.
        zone: whose clock ``relative`` rounds to.
        relative: round down to the beginning of the day, hour or minute, whichever is the largest that fits into the
            interval: an entry of every day then runs at midnight, one of every hour at the full hour.
    """
    began = start.astimezone(UTC)
    if not relative or every < _MINUTE:
        return began + every
    if every >= _DAY:
        day = (began.astimezone(zone).replace(tzinfo=None) + every).replace(hour=0, minute=0, second=0, microsecond=0)
        return first_instant(day, zone)
    end = (began + every).astimezone(zone)
    over = timedelta(minutes=end.minute if every >= _HOUR else 0, seconds=end.second, microseconds=end.microsecond)
    return end.astimezone(UTC) - over


def in_words(seconds: float) -> str:
    """A length of time for people, in the largest unit that fits: ``2.50 hours``, ``1.00 minute``, ``now``."""
    for unit, size in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE), ("second", timedelta(seconds=1))):
        count = seconds / size.total_seconds()
        if count >= 1:
            return f"{count:.2f} {unit}{'' if round(count, 2) == 1 else 's'}"
    return f"{seconds:.2f} seconds" if seconds > 0 else "now"
