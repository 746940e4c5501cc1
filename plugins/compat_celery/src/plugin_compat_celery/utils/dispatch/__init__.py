"""``celery.utils.dispatch``."""

from plugin_compat_celery.adapter.own_signal import Signal

__all__ = ["Signal"]
