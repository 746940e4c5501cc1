"""``celery.app.events``."""

from kernel.app.events import Events
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Events"]
