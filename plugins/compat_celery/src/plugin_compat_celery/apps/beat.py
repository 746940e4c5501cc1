"""``celery.apps.beat``."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.beat import Beat

__getattr__ = missing(__name__)

__all__ = ["Beat"]
