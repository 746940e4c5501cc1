"""``celery.events.snapshot``."""

from kernel.events.snapshot import Polaroid
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Polaroid"]
