"""``celery.app.log``."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.formatters import TaskFormatter
from plugin_compat_celery.adapter.logging import Logging

__getattr__ = missing(__name__)

__all__ = ["Logging", "TaskFormatter"]
