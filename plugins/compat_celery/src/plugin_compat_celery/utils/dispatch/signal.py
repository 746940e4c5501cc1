"""``celery.utils.dispatch.signal``."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.own_signal import Signal

__getattr__ = missing(__name__)

__all__ = ["Signal"]
