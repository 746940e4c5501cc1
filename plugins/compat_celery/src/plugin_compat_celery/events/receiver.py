"""``celery.events.receiver``."""

from kernel.events import EventReceiver
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["EventReceiver"]
