"""``celery.app.registry``."""

from kernel.app.registry import TaskRegistry
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["TaskRegistry"]
