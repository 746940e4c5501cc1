"""``celery.app.base``: the application under Celery's name, with Celery's constructor (features.md 1.15)."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from kernel.app.autodiscovery import Packages
from kernel.app.current import holder
from kernel.app.kernel import Kernel
from kernel.app.ports import Pool
from kernel.app.settings import Settings
from kernel.model.context import current
from kernel.runtime.signal_table import import_modules
from plugin_compat_celery import platforms
from plugin_compat_celery.adapter.absent import missing, missing_attribute
from plugin_compat_celery.adapter.alias import is_installed
from plugin_compat_celery.adapter.beat import Beat
from plugin_compat_celery.adapter.broker_errors import KombuPool
from plugin_compat_celery.adapter.configuration import CelerySettings
from plugin_compat_celery.adapter.connections import Connections
from plugin_compat_celery.adapter.discovery import Discovery
from plugin_compat_celery.adapter.logging import Logging
from plugin_compat_celery.adapter.program import main as run_program
from plugin_compat_celery.adapter.result_set import ResultSet
from plugin_compat_celery.adapter.task_options import translated, with_attributes
from plugin_compat_celery.adapter.worker import Worker
from plugin_compat_celery.app.utils import bugreport
from plugin_compat_celery.loaders import get_loader_cls
from plugin_compat_celery.utils.imports import symbol_by_name

BUILTIN_FIXUPS = frozenset({"plugin_compat_celery.fixups.django:fixup"})


class Celery(Kernel):
    """A :class:`kernel.Kernel` with the constructor, the defaults and the further names of Celery's application.

    Args:
        main: first part of the names of tasks defined in ``__main__``.
        loader: class of ``app.loader``, or its name; None is ``CELERY_LOADER``, or the plain one.
        backend: result backend URL.
        amqp: class of ``app.amqp``, or ``module:Class``; in the same way ``events``, ``log`` and ``control``.
        tasks: tasks to begin with, a mapping by name.
        changes: settings.
        config_source: as for ``config_from_object``; a missing module counts as empty with ``config_source_silent``.
        fixups: functions called with the application, or their names; None is the one for Django.
        task_cls: base class of tasks, or its name.
        namespace: prefix of the names of settings, as for ``config_from_object``. On the wire the namespace is
            ``celery``, unless the setting ``namespace`` says otherwise.
        settings: any other setting, by name. Arguments not named here are those of :class:`kernel.Kernel`.
    """

    SYSTEM = platforms.SYSTEM
    IS_macOS, IS_WINDOWS = platforms.IS_macOS, platforms.IS_WINDOWS
    builtin_fixups = BUILTIN_FIXUPS
    task_cls: Any = None
    loader_cls: Any = "app"
    amqp_cls: Any = None
    events_cls: Any = None
    control_cls: Any = None
    log_cls: Any = Logging

    def __init__(  # noqa: PLR0913 - the documented constructor
        self,
        main: str | None = None,
        loader: Any = None,
        backend: str | None = None,
        amqp: Any = None,
        events: Any = None,
        log: Any = None,
        control: Any = None,
        set_as_current: bool = True,
        tasks: Mapping[str, Any] | None = None,
        broker: str | Sequence[str] | None = None,
        include: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        config_source: object = None,
        fixups: Sequence[Any] | None = None,
        task_cls: Any = None,
        autofinalize: bool = True,
        namespace: str | None = None,
        strict_typing: bool = True,
        config_source_silent: bool = False,
        **settings: Any,
    ) -> None:
        self.namespace = namespace
        self.loader_cls = loader or os.environ.get("CELERY_LOADER") or self.loader_cls
        self.amqp_cls, self.events_cls = amqp or self.amqp_cls, events or self.events_cls
        self.log_cls, self.control_cls = log or self.log_cls, control or self.control_cls
        self.task_cls = task_cls or self.task_cls
        self.fixups = tuple(self.builtin_fixups if fixups is None else fixups)
        self._begin_with = (tasks or {}, config_source, config_source_silent)
        self._kombu_pool: tuple[Pool, KombuPool] | None = None
        super().__init__(
            main,
            broker,
            backend,
            include,
            set_as_current=set_as_current,
            autofinalize=autofinalize,
            strict_typing=None if strict_typing else False,
            **{**(changes or {}), **settings},
        )

    def _settings(self, given: Mapping[str, object]) -> Settings:
        return CelerySettings(given, prefix=self.namespace)

    def _complete(self) -> None:
        """Make the parts that the constructor named."""
        self.user_options: dict[str, set[Any]] = defaultdict(set)  # of programs; see adapter.user_options
        tasks, source, silent = self._begin_with
        if is_installed():  # so it must be in interpreters that are started for tasks
            self.preload = ("plugin_compat_celery.adapter.installed",)
        if source is not None:
            self.config_from_object(source, silent=silent)
        if self.task_cls is not None:
            self.Task = symbol_by_name(self.task_cls)
        for name in ("amqp", "events", "control", "log"):
            chosen = getattr(self, f"{name}_cls")
            if chosen is not None:
                setattr(self, name, symbol_by_name(chosen)(self))
        self.connections = Connections(self)
        self.loader = get_loader_cls(self.loader_cls)(self)
        for task in tasks.values():
            self.register_task(task)
        self.installed_fixups = [symbol_by_name(fixup)(self) for fixup in self.fixups]

    def _define(self, function: Any, options: Mapping[str, Any]) -> Any:
        return super()._define(function, with_attributes(translated(options), self.Task))

    def config_from_object(
        self, obj: object, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from a module, class, object or mapping, or one named by text."""
        self.namespace = namespace or self.namespace
        super().config_from_object(obj, silent, force, self.namespace or "")

    def autodiscover_tasks(
        self, packages: Packages | None = None, related_name: str | None = "tasks", force: bool = False
    ) -> None:
        """Import ``<package>.tasks`` of every package, when a worker imports its modules.

        Args:
            packages: names, or a function that returns them; None asks the fixups, such as that for Django.
            related_name: the module to look for; None imports the packages themselves.
            force: do it now.
        """
        search = Discovery(self, packages, related_name)
        if force:
            search()
        else:
            import_modules.connect(search, weak=False, sender=self)

    def set_default(self) -> None:
        """Become the application meant where none is given."""
        holder.set(self)

    @property
    def current_task(self) -> Any:
        """The task that runs here now, or None."""
        running = current.get()
        return None if running is None else running.task

    current_worker_task = current_task

    @property
    def backend(self) -> Any:
        """The result backend, None when results are off."""
        return self.client.services.backend

    @property
    def annotations(self) -> Any:
        """The setting ``task_annotations``."""
        return self.conf.task_annotations

    def either(self, default_key: str, *defaults: Any) -> Any:
        """The first value that is not None, else the setting of that name."""
        return next((value for value in defaults if value is not None), self.conf[default_key])

    def bugreport(self) -> str:
        """Versions, platform, plugins and settings, secrets masked."""
        return bugreport(self)

    def uses_utc_timezone(self) -> bool:
        """Whether the application's times are in UTC."""
        return str(self.timezone) == "UTC"

    @property
    def oid(self) -> str:
        """The address of this process: the queue that answers come to."""
        address: str = self.client.services.mailbox.oid
        return address

    thread_oid = oid

    def ResultSet(self, results: Sequence[Any]) -> ResultSet:  # noqa: N802 - the documented name
        """Results waited for together."""
        return ResultSet(results, self)

    # Programs

    def start(self, argv: Sequence[str] | None = None) -> int:
        """Run a command as the program ``celery`` does, with this application."""
        return run_program(sys.argv[1:] if argv is None else argv, self)

    def worker_main(self, argv: Sequence[str] | None = None) -> int:
        """Run a worker: ``app.worker_main(["worker", "--loglevel=INFO"])``.

        Raises:
            ValueError: for arguments without the word ``worker``.
        """
        arguments = list(sys.argv if argv is None else argv)
        if "worker" not in arguments:
            raise ValueError("worker_main: the arguments must contain the command: ['worker', '--loglevel=INFO']")
        return self.start(arguments[arguments.index("worker") :])

    def Worker(self, **options: Any) -> Worker:  # noqa: N802 - the documented name
        """A worker of this application, not started; options as of :class:`plugin_compat_celery.apps.worker.Worker`."""
        return Worker(self, **options)

    WorkController = Worker

    def Beat(self, **options: Any) -> Beat:  # noqa: N802 - the documented name
        """Beat for this application, not started; options as of :class:`plugin_compat_celery.apps.beat.Beat`."""
        return Beat(app=self, **options)

    # Producers, and connections of kombu, for those who talk to the broker themselves

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """A kombu connection to the broker."""
        return self.connections.connection(url, **options)

    connection = broker_connection = connection_for_read = connection_for_write

    def connection_or_acquire(self, connection: Any = None, pool: bool = True) -> Any:
        """A context manager: the connection given, or one of a pool."""
        return self.connections.acquired(connection, pool=pool)

    default_connection = connection_or_acquire

    @contextmanager
    def producer_or_acquire(self, producer: Any = None) -> Iterator[Any]:
        """The producer given, or one on a connection of the pool."""
        if producer is not None:
            yield producer
            return
        with self.pool.acquire(block=True) as connection:
            yield self.amqp.Producer(connection)

    default_producer = producer_or_acquire

    @property
    def pool(self) -> Pool:
        """The pool of producers; its errors are kombu's, too, where kombu is imported."""
        inner = super().pool
        known = self._kombu_pool
        if known is None or known[0] is not inner:
            known = self._kombu_pool = (inner, KombuPool(inner))
        return known[1]

    @property
    def producer_pool(self) -> Pool:
        """The same."""
        return self.pool

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute("Celery", name)


App = Celery
"""The name of old."""

holder.default_made_by(partial(Celery, "default", loader="default", fixups=(), set_as_current=False))

__getattr__ = missing(__name__)

__all__ = ["Celery"]
