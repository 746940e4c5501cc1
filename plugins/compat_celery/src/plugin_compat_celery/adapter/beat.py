"""``app.Beat()``: beat in this process, by Celery's options."""

from typing import Any

from kernel.app.current import app_or_default
from kernel.beat import Service
from plugin_compat_celery.utils.imports import symbol_by_name


class Beat:
    """Sends what is due until it is stopped.

    Args:
        app: the application; None is the current one.
        max_interval: seconds slept at most.
        schedule: the file of the built-in scheduler.
        scheduler: class of the scheduler, or its name; ``scheduler_cls`` is the name of old.
        loglevel: lowest level logged.
        logfile: a file; None is the error stream.
        quiet: has no effect: there is no banner here.
        remote_control: answer ``inspect ping``; None follows the setting.
        hostname: what it answers as.
    """

    def __init__(  # noqa: PLR0913 - the documented parameters
        self,
        max_interval: float | None = None,
        app: Any = None,
        loglevel: str | int = "WARN",
        logfile: str | None = None,
        schedule: str | None = None,
        scheduler: Any = None,
        scheduler_cls: Any = None,
        quiet: bool = False,
        remote_control: bool | None = None,
        hostname: str | None = None,
    ) -> None:
        del quiet
        self.app = app_or_default(app)
        self.loglevel = "WARNING" if loglevel == "WARN" else loglevel
        self.logfile = logfile
        chosen = symbol_by_name(scheduler or scheduler_cls or self.app.conf.beat_scheduler)
        self.service = Service(self.app, max_interval, schedule, chosen, remote_control, hostname)

    def run(self) -> None:
        """Set logging up, then send until :meth:`stop` is called."""
        self.app.log.setup(self.loglevel, self.logfile)
        self.service.start()

    def stop(self) -> None:
        """Stop it. From any thread."""
        self.service.stop()
