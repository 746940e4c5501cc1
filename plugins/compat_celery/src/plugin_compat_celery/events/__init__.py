"""``celery.events`` (features.md 2.6)."""

from kernel.events import Event, EventDispatcher, EventReceiver, group_from
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Event", "EventDispatcher", "EventReceiver", "group_from"]
