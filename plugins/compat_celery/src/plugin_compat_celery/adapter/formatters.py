"""Formatters and streams for handlers of an application's own, by the parameters of Celery (features.md 1.22)."""

import logging

from kernel.model.config import Config
from kernel.runtime.logs import Line, LoggingStream, level_number


class ColorFormatter(Line):
    """A format whose lines are coloured by level.

    Args:
        fmt: the format; None is that of workers.
        use_color: colour the lines.
        datefmt: the format of times.
    """

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None) -> None:
        super().__init__(fmt or Config().worker_log_format, datefmt, color=use_color)


class TaskFormatter(ColorFormatter):
    """The same; ``%(task_name)s`` and ``%(task_id)s`` are those of the task that writes, or ``???``."""


class LoggingProxy(LoggingStream):
    """A stream, such as for ``sys.stdout``, whose lines become records.

    Args:
        logger: where to.
        loglevel: name or number of their level; None is that of the logger, or WARNING where it has none.
    """

    def __init__(self, logger: logging.Logger, loglevel: str | int | None = None) -> None:
        level = level_number(loglevel) if isinstance(loglevel, str) else loglevel or logger.level or logging.WARNING
        super().__init__(logger, level)
