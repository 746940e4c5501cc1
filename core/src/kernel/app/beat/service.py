"""Beat itself: looks, sends, sleeps, until it is stopped; as a program of its own or in a worker."""

import logging
import os
import threading
import time
from importlib import import_module
from typing import Any

from kernel.app.beat.scheduler import DEFAULT_MAX_INTERVAL, Scheduler
from kernel.app.imports import import_task_modules
from kernel.app.named_class import named_class
from kernel.app.node_name import node_name
from kernel.contracts.waker import Waker
from kernel.errors import ImproperlyConfigured
from kernel.model.interval import in_words
from kernel.runtime.signal_table import beat_embedded_init, beat_init

logger = logging.getLogger("kernel.beat")

_AFTER_ERROR_S = 5.0
_LEAST_AGE_S = 60.0
"""A beat that turns often is not taken for dead because of one slow turn."""


class Service:
    """Runs a scheduler.

    Args:
        app: the application.
        max_interval: seconds slept at most; None follows ``beat_max_loop_interval``.
        schedule_filename: the file of the built-in scheduler; None follows ``beat_schedule_filename``.
        scheduler_cls: a class or its name, ``module:Class``; None follows ``beat_scheduler``.
        remote_control: answer ``inspect ping``; None follows ``beat_enable_remote_control``.
        hostname: what it answers as: a name, or ``name@host`` with ``%h``; None is ``<namespace>beat@%h``.
    """

    scheduler_cls: Any = None
    """For subclasses; None follows ``beat_scheduler``."""

    def __init__(
        self,
        app: Any,
        max_interval: float | None = None,
        schedule_filename: str | None = None,
        scheduler_cls: Any = None,
        remote_control: bool | None = None,
        hostname: str | None = None,
    ) -> None:
        self.app = app
        self.max_interval = max_interval or app.conf.beat_max_loop_interval
        self.schedule_filename = schedule_filename or app.conf.beat_schedule_filename
        self.scheduler_cls = scheduler_cls or self.scheduler_cls or app.conf.beat_scheduler
        self.remote_control = app.conf.beat_enable_remote_control if remote_control is None else remote_control
        self.hostname = node_name(hostname, f"{app.conf.namespace}beat", os.uname().nodename)
        self.last_tick: float | None = None
        """When the scheduler was last asked, by the monotonic clock; None before the first time."""
        self._scheduler: Any = None
        self._prepared = False
        self._stopping = False
        self._waker = Waker()  # unlike an event, a signal handler may raise it
        self._is_stopped = threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self.app,
            self.max_interval,
            self.schedule_filename,
            self.scheduler_cls,
            self.remote_control,
            self.hostname,
        )

    @property
    def scheduler(self) -> Any:
        """The scheduler, made on first use.

        Raises:
            ImproperlyConfigured: when its class cannot be found, or another beat has its file open.
        """
        if self._scheduler is None:
            self._scheduler = self.get_scheduler()
        return self._scheduler

    def prepare(self) -> None:
        """Have everything there that entries name: modules of tasks, receivers that add entries; open the scheduler.

        Idempotent.

        Raises:
            ImproperlyConfigured: when there is no such scheduler, or another beat has its file open.
        """
        if self._prepared:
            return
        import_task_modules(self.app, self.app.config)
        self.app.finalize()
        self.app.on_after_configure.tell(self.app, source=self.app.conf)
        self.scheduler  # noqa: B018 - made here, so that its errors come before anything begins
        self._prepared = True

    def get_scheduler(self, lazy: bool = False) -> Any:
        """A scheduler; ``lazy`` only to look at it."""
        made = named_class(self.scheduler_cls, "beat_scheduler")
        if isinstance(made, type) and not issubclass(made, Scheduler):
            raise ImproperlyConfigured(
                f"beat_scheduler {made.__module__}:{made.__qualname__} is no kernel.beat.Scheduler.",
                cure="Derive it from that class; plugin-compat-celery does so for those written for Celery.",
            )
        return made(app=self.app, schedule_filename=self.schedule_filename, max_interval=self.max_interval, lazy=lazy)

    def start(self, embedded_process: bool = False) -> None:
        """Work until :meth:`stop` is called.

        Args:
            embedded_process: this beat is part of a worker.
        """
        logger.info("beat: Starting...")
        self.prepare()
        scheduler = self.scheduler
        logger.debug("beat: Ticking with max interval->%s", in_words(scheduler.max_interval or DEFAULT_MAX_INTERVAL))
        beat_init.send(sender=self)
        if embedded_process:
            beat_embedded_init.send(sender=self)
        remote = self._remote(scheduler) if self.remote_control else None
        try:
            if remote is not None:
                remote.start()
            while not self._stopping:
                self._turn(scheduler)
        finally:
            logger.info("beat: Shutting down...")
            self.sync()
            if remote is not None:
                remote.close()

    def sync(self) -> None:
        """The scheduler writes what it knows and lets go of it."""
        try:
            if self._scheduler is not None:
                self._scheduler.close()
        finally:
            self._is_stopped.set()

    def stop(self, wait: bool = False) -> None:
        """Ask beat to end; from any thread, and from signal handlers without ``wait``."""
        self._stopping = True
        self._waker.wake()
        if wait:
            self._is_stopped.wait()

    def _remote(self, scheduler: Any) -> Any:
        """What answers for this beat, over a connection of its own."""
        boot = import_module("kernel.runtime.boot")  # modules of tasks import BeatLazyFunc: they need no plugin loader
        services = boot.build_services(self.app.config, self.hostname)
        services.clock = self.app.clock
        most: float | None = self.app.conf.beat_remote_control_max_tick_age
        longest = 2 * (scheduler.max_interval or DEFAULT_MAX_INTERVAL)
        began = time.monotonic()
        return import_module("kernel.runtime.beat_remote").BeatRemote(
            services,
            self.hostname,
            lambda: time.monotonic() - (self.last_tick or began),
            max(_LEAST_AGE_S, longest) if most is None else most,
        )

    def _turn(self, scheduler: Any) -> None:
        interval = self._tick(scheduler)
        self.last_tick = time.monotonic()
        if not interval or interval <= 0:
            return
        logger.debug("beat: Waking up in %s.", in_words(interval))
        self._waker.wait(interval)
        if scheduler.should_sync():
            scheduler.keep()

    def _tick(self, scheduler: Any) -> Any:
        """One look; a scheduler that fails as a whole, such as one whose database is away, is asked again."""
        try:
            return scheduler.tick()
        except Exception:
            logger.exception("beat: The scheduler failed and is asked again in %s", in_words(_AFTER_ERROR_S))
            return _AFTER_ERROR_S
