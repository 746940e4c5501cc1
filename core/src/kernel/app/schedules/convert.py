"""From what users write after ``schedule =`` to a schedule: numbers, timedeltas, text, tables of kernel.toml."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kernel.app.schedules.base import BaseSchedule
from kernel.app.schedules.crontab import crontab
from kernel.app.schedules.interval import schedule
from kernel.app.schedules.solar import solar
from kernel.errors.near import did_you_mean

_CRONTAB = frozenset({"minute", "hour", "day_of_week", "day_of_month", "month_of_year"})
_SOLAR = frozenset({"event", "lat", "lon"})
_INTERVAL = frozenset({"every", "relative"})


def maybe_schedule(s: Any, relative: bool = False, app: Any = None) -> Any:
    """A schedule from whatever stands for one.

    Args:
        s: seconds, a timedelta, the five fields of a crontab as text, a table (``{"every": 30}``,
            ``{"minute": "0", "hour": "4"}``, ``{"event": "sunset", "lat": 52.5, "lon": 13.4}``), a schedule, or None,
            which is given back.
        relative: of an interval: round down to the clock.
        app: whose schedule it becomes.

    Raises:
        ParseException: for text that is no crontab.
        ValueError: for a table that is no schedule, or an interval below 0.
        TypeError: for anything else.
    """
    if s is None:
        return None
    if isinstance(s, (int, float, timedelta)) and not isinstance(s, bool):
        return schedule(_length(s), relative, app=app)
    if isinstance(s, str):
        s = crontab.from_string(s)
    elif isinstance(s, Mapping):
        s = _from_table(s, relative)
    elif not callable(getattr(s, "is_due", None)):
        raise TypeError(f"a schedule is seconds, a timedelta, a crontab or another schedule, not {s!r:.80}")
    if app is not None:
        s.app = app
    return s


def _length(seconds: float | timedelta) -> timedelta:
    every = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
    if every < timedelta():
        raise ValueError(f"an interval is not negative: {every}")
    return every


def _from_table(table: Mapping[str, Any], relative: bool) -> BaseSchedule:
    keys = frozenset(table)
    if "every" in keys and keys <= _INTERVAL:
        every = table["every"]
        if isinstance(every, bool) or not isinstance(every, (int, float, timedelta)):
            raise ValueError(f"every is a number of seconds, not {every!r}")
        return schedule(_length(every), table.get("relative", relative))
    if keys and keys <= _CRONTAB:
        return crontab(**table)
    if keys == _SOLAR:
        return solar(**table)
    known = _CRONTAB | _SOLAR | _INTERVAL
    near = next((did_you_mean(key, known) for key in table if key not in known), "")
    raise ValueError(
        f"the table {dict(table)!r} is no schedule. "
        f"{near or 'Write {every = 30}, fields of a crontab such as {minute = 0, hour = 4}, or event, lat and lon.'}"
    )
