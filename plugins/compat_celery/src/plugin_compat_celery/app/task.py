"""``celery.app.task`` (features.md 1.18, 1.21)."""

from kernel.app.task import Task
from kernel.model.context import Request as Context
from plugin_compat_celery.adapter.absent import missing

BaseTask = Task
"""The name of old."""

__getattr__ = missing(__name__)

__all__ = ["Context", "Task"]
