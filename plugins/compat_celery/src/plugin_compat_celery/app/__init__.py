"""``celery.app`` (features.md 1.15)."""

from kernel.app.current import app_or_default
from kernel.app.current import current_app as default_app
from kernel.app.shared import shared_task
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.app.base import Celery
from plugin_compat_celery.app.utils import bugreport

__getattr__ = missing(__name__)

__all__ = ["Celery", "app_or_default", "bugreport", "default_app", "shared_task"]
