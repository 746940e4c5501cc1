"""``celery.events.event``."""

from kernel.events import Event, group_from
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Event", "group_from"]
