"""``celery.schedules`` (features.md 2.3)."""

from kernel.schedules import BaseSchedule as BaseSchedule
from kernel.schedules import (
    ParseException,
    crontab,
    crontab_parser,
    maybe_schedule,
    schedule,
    solar,
)
from kernel.schedules import schedstate as schedstate
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["ParseException", "crontab", "crontab_parser", "maybe_schedule", "schedule", "solar"]
