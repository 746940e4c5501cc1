"""Periodic tasks under the module name that users of the calling API know (features.md 2.3).

Schedulers of one's own derive from :class:`Scheduler` and are named by ``beat_scheduler``.
"""

from kernel.app.beat.agenda import event_t
from kernel.app.beat.embedded import EmbeddedService
from kernel.app.beat.entry import BeatLazyFunc, ScheduleEntry
from kernel.app.beat.persistent import PersistentScheduler
from kernel.app.beat.scheduler import DEFAULT_MAX_INTERVAL, Scheduler
from kernel.app.beat.sending import SchedulingError
from kernel.app.beat.service import Service

__all__ = [
    "DEFAULT_MAX_INTERVAL",
    "BeatLazyFunc",
    "EmbeddedService",
    "PersistentScheduler",
    "ScheduleEntry",
    "Scheduler",
    "SchedulingError",
    "Service",
    "event_t",
]
