"""Schedules under the module name that users of the calling API know (features.md 2.3)."""

from kernel.app.schedules.base import BaseSchedule, schedstate
from kernel.app.schedules.convert import maybe_schedule
from kernel.app.schedules.crontab import crontab
from kernel.app.schedules.interval import schedule
from kernel.app.schedules.solar import solar
from kernel.model.cron import ParseException, crontab_parser

__all__ = [
    "BaseSchedule",
    "ParseException",
    "crontab",
    "crontab_parser",
    "maybe_schedule",
    "schedstate",
    "schedule",
    "solar",
]
