"""``app.log``: sets up logging as a worker does (features.md 1.22)."""

import logging
from typing import Any

from kernel.runtime.logs import LoggingStream, LogSettings, Redirection, level_number, set_up


class Logging:
    """Logging of one application, for programs of its own.

    Args:
        app: the application.
    """

    already_setup = False

    def __init__(self, app: Any) -> None:
        self.app = app

    def setup(
        self,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        redirect_stdouts: bool = False,
        redirect_level: str = "WARNING",
        colorize: bool | None = None,
    ) -> None:
        """Give the kernel's loggers their handlers, and send what is printed there if that is wanted.

        Args:
            loglevel: name or number of the lowest level shown; None is WARNING.
            logfile: a file; None is the error stream.
            redirect_stdouts: send standard output and error to the log.
            redirect_level: as records of that level.
            colorize: colours; None leaves it to the terminal.
        """
        self.setup_logging_subsystem(loglevel, logfile, colorize=colorize)
        if redirect_stdouts:
            self.redirect_stdouts(redirect_level)

    def setup_logging_subsystem(
        self, loglevel: str | int | None = None, logfile: str | None = None, colorize: bool | None = None
    ) -> None:
        """Give the kernel's loggers their handlers."""
        level = loglevel if isinstance(loglevel, int) else level_number(loglevel or "WARNING")
        set_up(LogSettings(self.app.config, level, logfile, colorize))
        self.already_setup = True

    setup_task_loggers = setup_logging_subsystem

    def redirect_stdouts(self, loglevel: str | None = None) -> None:
        """Send what is printed from now on to the log, as ``worker_redirect_stdouts`` does."""
        if loglevel is not None:
            self.app.conf.worker_redirect_stdouts_level = loglevel
        Redirection(self.app.config).__enter__()  # for the life of this process

    def redirect_stdouts_to_logger(self, logger: logging.Logger, loglevel: str = "WARNING") -> LoggingStream:
        """A stream that writes to a logger, for ``sys.stdout``."""
        return LoggingStream(logger, level_number(loglevel))

    def get_default_logger(self, name: str = "kernel") -> logging.Logger:
        """The logger of that name."""
        return logging.getLogger(name)
