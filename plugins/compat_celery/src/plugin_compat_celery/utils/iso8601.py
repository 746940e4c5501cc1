"""``celery.utils.iso8601``."""

from datetime import datetime

from plugin_compat_celery.adapter.absent import missing


def parse_iso8601(datestring: str) -> datetime:
    """A time from its text.

    Raises:
        ValueError: the text has another form.
    """
    return datetime.fromisoformat(datestring)


__getattr__ = missing(__name__)

__all__ = ["parse_iso8601"]
