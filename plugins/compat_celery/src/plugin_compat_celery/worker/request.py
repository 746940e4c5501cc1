"""``celery.worker.request`` (features.md 1.20)."""

from kernel.runtime.request import Request
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Request"]
