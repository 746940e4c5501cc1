"""The worker's log: one handler on the kernel's loggers, one format more for tasks (features.md 1.22, 2.4).

The root logger belongs to the application and is left alone (pains P39), unless ``worker_hijack_root_logger`` says
otherwise. When the application has put handlers on it, the kernel's records go there too and nowhere else.
"""

import logging
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from logging.handlers import WatchedFileHandler
from types import TracebackType
from typing import Any, Final, Self, TextIO

from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.context import current
from kernel.runtime.signal_table import after_setup_logger, after_setup_task_logger, setup_logging

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL")

_COLORS: Final = {"DEBUG": "\x1b[34m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[35m"}
_RESET: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How a worker logs. Picklable, for children that are spawned.

    Attributes:
        config: formats, colours and redirection (``worker_log_*``, ``worker_redirect_stdouts*``).
        level: lowest level shown.
        path: file to append to; None is the error stream. ``%i`` in it is the number of the executor whose process
            logs, 0 for the node's own, and ``%I`` the same after a dash, nothing for the node's own.
        color: True or False when the command line says so; None leaves it to the setting, and that to the terminal.
        index: number of this executor in its pool, from 1; 0 is the node itself.
    """

    config: Config
    level: int = logging.WARNING
    path: str | None = None
    color: bool | None = None
    index: int = 0

    @property
    def by_executor(self) -> bool:
        """Whether every executor has a log of its own."""
        return self.path is not None and log_file(self.path, 1) != log_file(self.path, 0)


def log_file(path: str, index: int = 0) -> str:
    """The file of one executor, of the node itself without a number."""
    return path.replace("%I", f"-{index}" if index else "").replace("%i", str(index))


def set_up(settings: LogSettings) -> None:
    """Give the kernel's loggers their handlers, in place of any they had; while somebody listens to the signal
    ``setup_logging``, that is left to them.

    Raises:
        ImproperlyConfigured: for a format that cannot be used, or a file that cannot be written.
    """
    config = settings.config
    facts = {"loglevel": settings.level, "logfile": settings.path, "colorize": settings.color}
    if setup_logging.receivers:
        setup_logging.send(None, format=config.worker_log_format, **facts)
        return
    _check_file(settings)
    color = settings.path is None and _wants_color(settings, sys.__stderr__ or sys.stderr)
    worker = _line(config.worker_log_format, config.worker_log_datefmt, "worker_log_format", color=color)
    task = _line(config.worker_task_log_format, config.worker_task_log_datefmt, "worker_task_log_format", color=color)
    root = logging.getLogger()
    if config.worker_hijack_root_logger:
        _replace(root, _handler(settings, worker), settings.level)
    if config.worker_hijack_root_logger or not root.handlers:
        _replace(logging.getLogger("kernel"), _handler(settings, worker), settings.level, propagate=False)
        _replace(logging.getLogger("kernel.task"), _handler(settings, task), settings.level, propagate=False)
    else:
        logging.getLogger("kernel").setLevel(settings.level)
    after_setup_logger.send(None, logger=root, format=config.worker_log_format, **facts)
    tasks = logging.getLogger("kernel.task")
    after_setup_task_logger.send(None, logger=tasks, format=config.worker_task_log_format, **facts)


def level_number(name: str, setting: str = "loglevel") -> int:
    """The number of a level's name, in any case; a number as text is taken as it is.

    Raises:
        ImproperlyConfigured: for a name that is no level.
    """
    if name.isdecimal():
        return int(name)
    if name.upper() not in LEVELS:
        raise ImproperlyConfigured(f"{setting}: {name!r} is no log level.", cure=f"Use one of {', '.join(LEVELS)}.")
    return int(logging.getLevelNamesMapping()[name.upper()])


class Line(logging.Formatter):
    """The configured format, coloured by level, with ``task_name`` and ``task_id`` of what runs here now."""

    def __init__(self, form: str, datefmt: str | None, *, color: bool) -> None:
        super().__init__(form, datefmt)
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        running = current.get()
        record.__dict__.setdefault("task_name", running.task.name if running is not None else "???")
        record.__dict__.setdefault("task_id", running.request.id if running is not None else "???")
        text = super().format(record)
        paint = _COLORS.get(record.levelname) if self._color else None
        return f"{paint}{text}{_RESET}" if paint else text


class LoggingStream:
    """Stands for ``sys.stdout`` and ``sys.stderr``: each line written becomes a record.

    Args:
        logger: where to.
        level: of the records.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, logger: logging.Logger, level: int) -> None:
        self._logger = logger
        self._level = level
        self._local = threading.local()

    def write(self, text: str) -> int:
        """Log each whole line; what a handler itself writes here while it logs is dropped, or it would never end."""
        if getattr(self._local, "inside", False):
            return 0
        self._local.inside = True
        try:
            *lines, rest = (getattr(self._local, "rest", "") + text).split("\n")
            self._local.rest = rest
            for line in lines:
                if line.strip():
                    self._logger.log(self._level, "%s", line.rstrip())
        finally:
            self._local.inside = False
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log what stands on an unfinished line."""
        rest, self._local.rest = getattr(self._local, "rest", ""), ""
        if rest.strip():
            self.write(f"{rest}\n")

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def fileno(self) -> int:
        """That of the error stream, for child processes."""
        stream = sys.__stderr__
        if stream is None:
            raise OSError("this process has no error stream")
        return stream.fileno()


class Redirection:
    """While it is entered, what tasks print goes to the log (``worker_redirect_stdouts``).

    Raises:
        ImproperlyConfigured: for a ``worker_redirect_stdouts_level`` that is none.
    """

    def __init__(self, config: Config) -> None:
        self._wanted = config.worker_redirect_stdouts
        self._level = level_number(config.worker_redirect_stdouts_level, "worker_redirect_stdouts_level")
        self._before = (sys.stdout, sys.stderr)

    def __enter__(self) -> Self:
        if self._wanted:
            self._before = (sys.stdout, sys.stderr)
            stream: Any = LoggingStream(logging.getLogger("kernel.redirected"), self._level)
            sys.stdout = sys.stderr = stream
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wanted:
            sys.stdout.flush()
            sys.stdout, sys.stderr = self._before


def _check_file(settings: LogSettings) -> None:
    if settings.path is None:
        return
    path = log_file(settings.path, settings.index)
    try:
        open(path, "a", encoding="utf-8").close()  # noqa: PTH123 - it is there now, and can be written
    except OSError as error:
        raise ImproperlyConfigured(
            f"The log file {path!r} cannot be written: {error.strerror}.", cure="Choose another with --logfile."
        ) from error


def _handler(settings: LogSettings, line: Line) -> logging.Handler:
    """Writes to a file, opened anew when it was moved away, as logrotate does; or to the error stream."""
    handler: logging.Handler
    if settings.path is None:
        handler = logging.StreamHandler(sys.__stderr__ or sys.stderr)
    else:
        handler = WatchedFileHandler(log_file(settings.path, settings.index), encoding="utf-8")
    handler.setFormatter(line)
    return handler


def _replace(logger: logging.Logger, handler: logging.Handler, level: int, *, propagate: bool = True) -> None:
    for old in logger.handlers:
        if isinstance(old, WatchedFileHandler):
            old.close()
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = propagate


def _wants_color(settings: LogSettings, stream: TextIO) -> bool:
    wanted = settings.config.worker_log_color if settings.color is None else settings.color
    return stream.isatty() if wanted is None else wanted


def _line(form: str, datefmt: str | None, setting: str, *, color: bool) -> Line:
    """A format that has been tried on a record, so that a wrong one is an error at start and not at the first line."""
    record = logging.LogRecord("kernel", logging.INFO, __file__, 0, "ready", None, None)
    try:
        line = Line(form, datefmt, color=color)
        line.format(record)
    except (KeyError, ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            f"{setting} {form!r} cannot be used: {error!r}.", cure="Write it with the names of logging.LogRecord."
        ) from error
    return line
