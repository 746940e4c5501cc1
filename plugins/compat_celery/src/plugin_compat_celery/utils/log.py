"""``celery.utils.log`` (features.md 1.22)."""

import logging

from kernel.errors import ImproperlyConfigured
from kernel.runtime.logs import level_number
from kernel.utils.log import get_logger, get_task_logger
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.formatters import ColorFormatter, LoggingProxy

LOG_LEVELS = dict(logging.getLevelNamesMapping())
LOG_LEVELS["FATAL"] = logging.FATAL
LOG_LEVELS.update({str(number): number for number in set(LOG_LEVELS.values())})

base_logger = logging.getLogger("kernel")


def mlevel(level: str | int | None) -> int | None:
    """The number of a level given by name or number.

    Raises:
        KeyError: for a name that is no level.
    """
    if not level or isinstance(level, int):
        return level or None
    try:
        return level_number(level)
    except ImproperlyConfigured as error:
        raise KeyError(level) from error


__getattr__ = missing(__name__)

__all__ = ["LOG_LEVELS", "ColorFormatter", "LoggingProxy", "base_logger", "get_logger", "get_task_logger", "mlevel"]
