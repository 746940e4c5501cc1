"""``celery.apps.worker``."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.worker import Worker

__getattr__ = missing(__name__)

__all__ = ["Worker"]
