"""``celery.events.dispatcher``."""

from kernel.events import EventDispatcher
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["EventDispatcher"]
