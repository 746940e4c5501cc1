"""``celery.utils.dispatch``."""

from kernel.runtime.signal import Signal

__all__ = ["Signal"]
