"""``crontab``: at times of the clock on the wall."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from kernel.app.schedules.base import BaseSchedule, schedstate
from kernel.errors.near import did_you_mean
from kernel.model.cron import Cronspec, ParseException, expand
from kernel.model.cron_times import CronTimes

_NEVER = timedelta(days=36_500)
_FIELDS = 5
_KEYWORDS = ("nowfun", "app")


class crontab(BaseSchedule):  # noqa: N801 - the name users of the calling API know
    """Due at the minutes its five fields name, in the zone of the application (``timezone``).

    A field is a number, text such as ``*``, ``*/15``, ``8-17/2``, ``1,13,30-45`` or ``mon-fri``, or numbers themselves.
    A day has to agree with all of ``day_of_week``, ``day_of_month`` and ``month_of_year``. What happens when clocks are
    put forward or back is written in docs/periodic-tasks.md.

    Args:
        minute: 0 to 59.
        hour: 0 to 23.
        day_of_week: 0 to 6, Sunday is 0; or names.
        day_of_month: 1 to 31.
        month_of_year: 1 to 12; or names.
        keywords: ``nowfun`` and ``app``, as every schedule has them.

    Raises:
        ParseException: for text of an unknown form.
        ValueError: for a number outside its field, or days that no month has.
        TypeError: for a field of another type.
    """

    def __init__(
        self,
        minute: Cronspec = "*",
        hour: Cronspec = "*",
        day_of_week: Cronspec = "*",
        day_of_month: Cronspec = "*",
        month_of_year: Cronspec = "*",
        **keywords: Any,
    ) -> None:
        for name in keywords:
            if name not in _KEYWORDS:
                raise TypeError(f"crontab() has no field {name!r}. {did_you_mean(name, (*_NAMES, *_KEYWORDS))}".strip())
        super().__init__(**keywords)
        self._orig_minute = _written(minute)
        self._orig_hour = _written(hour)
        self._orig_day_of_week = _written(day_of_week)
        self._orig_day_of_month = _written(day_of_month)
        self._orig_month_of_year = _written(month_of_year)
        self.minute = expand(self._orig_minute, 60)
        self.hour = expand(self._orig_hour, 24)
        self.day_of_week = expand(self._orig_day_of_week, 7)
        self.day_of_month = expand(self._orig_day_of_month, 31, 1)
        self.month_of_year = expand(self._orig_month_of_year, 12, 1)
        self._times = CronTimes(self.minute, self.hour, self.day_of_week, self.day_of_month, self.month_of_year)

    @classmethod
    def from_string(cls, crontab: str) -> Self:
        """From the line of a crontab: ``minute hour day_of_month month_of_year day_of_week``.

        Raises:
            ParseException: when it has not five fields.
        """
        fields = crontab.split()
        if len(fields) != _FIELDS:
            raise ParseException(
                f"{crontab!r} has {len(fields)} fields, not five: minute, hour, day of month, month, day of week"
            )
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        return cls(minute, hour, day_of_week, day_of_month, month_of_year)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the first due time after ``last_run_at``."""
        return self._left(last_run_at, self.maybe_make_aware(self.now()))

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether a due time has come since ``last_run_at``, and the seconds until the next one.

        With ``beat_cron_starting_deadline``, a due time that lies further back than that is let go.
        """
        now = self.maybe_make_aware(self.now())
        left = self._left(last_run_at, now).total_seconds()
        if left > 0:
            return schedstate(False, left)
        return schedstate(self._may_still_start(left, now), max(0.0, self._left(now, now).total_seconds()))

    def _may_still_start(self, left: float, now: datetime) -> bool:
        deadline = self.app.conf.beat_cron_starting_deadline
        if deadline is None or left == 0:
            return True
        since = now.astimezone(UTC) - timedelta(seconds=deadline, microseconds=1)
        return self._left(since, now) <= timedelta()

    def _left(self, since: datetime, now: datetime) -> timedelta:
        due = self._times.next_after(self.maybe_make_aware(since), self.tz)
        return _NEVER if due is None else due - now.astimezone(UTC)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, crontab):
            return self._times == other._times and super().__eq__(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._times, self.nowfun))

    def __repr__(self) -> str:
        fields = " ".join(
            str(field)
            for field in (
                self._orig_minute,
                self._orig_hour,
                self._orig_day_of_month,
                self._orig_month_of_year,
                self._orig_day_of_week,
            )
        )
        return f"<crontab: {fields} (m/h/dM/MY/d)>"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (
            self._orig_minute,
            self._orig_hour,
            self._orig_day_of_week,
            self._orig_day_of_month,
            self._orig_month_of_year,
        )
        return type(self), fields, {"nowfun": self.nowfun}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.nowfun = state["nowfun"]


_NAMES = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")


def _written(field: Any) -> Any:
    """What is kept to show and to pickle: an iterator can be read only once."""
    if field is None:
        return "*"
    return field if isinstance(field, (int, str, set, frozenset, list, tuple, range)) else _numbers(field)


def _numbers(field: Any) -> Any:
    try:
        return list(field)
    except TypeError:
        return field
