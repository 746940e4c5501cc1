"""``celery.utils.dispatch.signal``."""

from kernel.runtime.signal import Signal
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Signal"]
