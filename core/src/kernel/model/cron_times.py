"""When a crontab is due: by the clock on the wall, whatever is done to that clock (features.md 2.3; pains P14).

The written rule for clocks that are put forward or back, for every zone:

- A crontab that names hours is due once for each time it names. A time that comes twice is meant the first time it
  comes. A time that is left out is due at the moment of the leap; several of them are due once, together.
- A crontab that is due in every hour of a day follows the clock as it runs: what comes twice is due twice, what is left
  out is not due. So "every quarter of an hour" stays that.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_HOURS = 24
_MONTHS = 12
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_YEARS = 41
"""How far a date is looked for: 29 February on a given weekday may be forty years away, around 2100."""


@dataclass(frozen=True)
class CronTimes:
    """The numbers of the five fields; a day has to agree with all three of weekday, day and month.

    Attributes:
        minutes: 0 to 59.
        hours: 0 to 23.
        weekdays: 0 is Sunday.
        days: 1 to 31.
        months: 1 to 12.

    Raises:
        ValueError: when no month has any of these days.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]

    def __post_init__(self) -> None:
        if not any(day <= _LONGEST_MONTH[month - 1] for month in self.months for day in self.days):
            raise ValueError(f"no month of {sorted(self.months)} has a day of {sorted(self.days)}: it is never due")

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The first due time after ``moment``, in UTC; None when the calendar ends before.

        Args:
            moment: an aware datetime.
            zone: whose clock counts; one that knows ``fold`` (PEP 495), as those of zoneinfo do.
        """
        start = moment.astimezone(UTC)
        local = start.astimezone(zone)
        try:
            if len(self.hours) == _HOURS:
                return self._next_as_it_runs(start, local, zone)
            return self._next_named(start, local, zone)
        except OverflowError:
            return None

    def _next_named(self, start: datetime, local: datetime, zone: tzinfo) -> datetime | None:
        """First occurrences rise with the clock's times, so the first one that lies ahead is the next."""
        for wall in self._walls(local):
            found = first_instant(wall, zone)
            if found > start:
                return found
        return None

    def _next_as_it_runs(self, start: datetime, local: datetime, zone: tzinfo) -> datetime | None:
        """Only in an hour that comes twice may an earlier time of the clock be the later one."""
        repeated = _shift(local.replace(fold=0), zone)
        again = max(repeated, timedelta()) if local.fold == 0 else timedelta()
        ahead: list[datetime] = []
        for wall in self._walls(local - again):
            instants = _instants(wall, zone)
            ahead += [instant for instant in instants if instant > start]
            if ahead and len(instants) == 1:
                break
        return min(ahead, default=None)

    def _walls(self, local: datetime) -> Iterator[datetime]:
        """Every time of the clock after this one that the fields name, without a zone, in order."""
        after = local.replace(tzinfo=None, second=0, microsecond=0) + _MINUTE
        times = self._times
        if self._has(after.date()):
            for at in times[bisect_left(times, after.time()) :]:
                yield datetime.combine(after.date(), at)
        for day in self._dates(after.date()):
            for at in times:
                yield datetime.combine(day, at)

    @cached_property
    def _times(self) -> tuple[time, ...]:
        return tuple(time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes))

    def _dates(self, after: date) -> Iterator[date]:
        days, months = sorted(self.days), sorted(self.months)
        for year in range(after.year, min(after.year + _YEARS, date.max.year + 1)):
            for month in months:
                if (year, month) >= (after.year, after.month):
                    for day in days:
                        found = _date(year, month, day)
                        if found is not None and found > after and self._on(found):
                            yield found

    def _has(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and self._on(day)

    def _on(self, day: date) -> bool:
        return day.isoweekday() % 7 in self.weekdays


def first_instant(wall: datetime, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which a clock of that zone first shows ``wall`` or, put forward, leaps over it."""
    shift = _shift(wall, zone)
    if shift < timedelta():
        return _leap(wall, zone)
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _instants(wall: datetime, zone: tzinfo) -> list[datetime]:
    """Every moment at which the clock shows this time: one, two, or none."""
    shift = _shift(wall, zone)
    if shift < timedelta():
        return []
    folds = (0, 1) if shift else (0,)
    return [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in folds]


def _shift(wall: datetime, zone: tzinfo) -> timedelta:
    """By how much the clock was put back around this time; negative when this time was leapt over."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    return before - after


def _leap(wall: datetime, zone: tzinfo) -> datetime:
    """The moment at which the clock leapt over ``wall``, to the second: the first one with the new offset."""
    old = wall.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    new = wall.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    low, high = (wall - new).replace(tzinfo=UTC), (wall - old).replace(tzinfo=UTC)
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
