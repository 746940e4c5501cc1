"""``celery.beat`` (features.md 2.3)."""

from kernel.beat import DEFAULT_MAX_INTERVAL as DEFAULT_MAX_INTERVAL
from kernel.beat import BeatLazyFunc as BeatLazyFunc
from kernel.beat import (
    EmbeddedService,
    PersistentScheduler,
    ScheduleEntry,
    Scheduler,
    SchedulingError,
    Service,
)
from kernel.beat import event_t as event_t
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["EmbeddedService", "PersistentScheduler", "ScheduleEntry", "Scheduler", "SchedulingError", "Service"]
