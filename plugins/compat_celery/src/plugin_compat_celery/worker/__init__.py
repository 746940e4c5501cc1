"""``celery.worker``."""

from plugin_compat_celery.adapter.worker import Worker as WorkController

__all__ = ["WorkController"]
