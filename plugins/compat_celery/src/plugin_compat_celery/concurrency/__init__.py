"""``celery.concurrency``."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.pools import NAMES


def get_available_pool_names() -> tuple[str, ...]:
    """The names that ``-P`` takes."""
    return tuple(NAMES)


__getattr__ = missing(__name__)

__all__ = ["get_available_pool_names"]
