"""The application: chooses, registers, opens and closes. Tasks and results do the rest (architecture.md 2)."""

import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, overload

from kernel.app.amqp import Amqp
from kernel.app.autodiscovery import Packages, import_tasks
from kernel.app.bound_results import BoundGroupResult
from kernel.app.builtin_tasks import BUILT_IN
from kernel.app.coroutine_task import CoroutineTask
from kernel.app.current import holder
from kernel.app.decorators import BoundDecorator, Decorator
from kernel.app.group_result import GroupResult
from kernel.app.occasion import Occasion
from kernel.app.part import Part
from kernel.app.periodic import add_periodic_task
from kernel.app.ports import Client, Pool
from kernel.app.registry import TaskRegistry
from kernel.app.result import AsyncResult
from kernel.app.security import setup_security
from kernel.app.sending import send_task
from kernel.app.settings import Settings
from kernel.app.shared import blueprints
from kernel.app.signature import signature
from kernel.app.task import Task as BaseTask
from kernel.app.task_definition import define_task, own_task
from kernel.app.zone import Timezone, now
from kernel.model.config import Config
from kernel.runtime.clock import LogicalClock
from kernel.runtime.signal import Signal

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_NO_OPTIONS: Mapping[str, Any] = {}


class Kernel:
    """An application: its settings, its tasks, and its connections. Safe in any thread.

    Creating one reads nothing and connects to nothing. Settings are read when one is asked for; drivers are opened by
    the first call (features.md 1.17).

    Args:
        main: first part of the names of tasks defined in ``__main__``.
        broker: broker URL; None is the embedded SQLite broker.
        backend: result backend URL.
        include: modules with tasks, imported by workers.
        set_as_current: become the application that ``current_app`` and shared tasks mean.
        autofinalize: finalize when the tasks are first used; False asks for an explicit ``finalize()``.
        namespace: first part of every name on the wire.
        config_source: an object for :meth:`config_from_object`.
        strict_typing: check arguments when calling.
        settings: any other setting, by name.

    Raises:
        UnknownSetting: for a setting that does not exist.
        ImproperlyConfigured: for a value that cannot work.
    """

    Task: Any = BaseTask
    """The base class of tasks; may be replaced, on a subclass or on one application."""
    preload: Sequence[str] = ()
    """Modules that a fresh interpreter imports before the one with the application."""
    events = Part("kernel.app.events", "Events")
    control = Part("kernel.app.control", "Control")

    def __init__(  # noqa: PLR0913 - the documented constructor (features.md 1.15)
        self,
        main: str | None = None,
        broker: str | Sequence[str] | None = None,
        backend: str | None = None,
        include: Sequence[str] | None = None,
        set_as_current: bool = True,
        autofinalize: bool = True,
        namespace: str | None = None,
        config_source: object = None,
        strict_typing: bool | None = None,
        **settings: Any,
    ) -> None:
        named = {"broker_url": broker, "result_backend": backend, "include": include, "namespace": namespace,
                 "strict_typing": strict_typing}  # fmt: skip
        self.main = main
        self.clock = LogicalClock()
        self.conf = self._settings({**settings, **{key: value for key, value in named.items() if value is not None}})
        self.autofinalize = autofinalize
        self.finalized = False
        self.amqp = Amqp(self)
        self.AsyncResult = partial(AsyncResult[Any], app=self)
        self.GroupResult = BoundGroupResult(GroupResult, app=self)
        self.signature = partial(signature, app=self)
        self.on_configure = Occasion("on_configure")
        self.on_after_configure = Occasion("on_after_configure", "source")
        self.on_after_fork = Signal("on_after_fork")
        self.on_after_finalize = Occasion("on_after_finalize")
        self.conf.when_read(self._configured)
        self._registry = TaskRegistry()
        self._shared = 0
        self._client: Client | None = None
        self._mailbox: Any = None  # outlives clients: results by rpc:// come to one address as long as the app lives
        self._lock = threading.RLock()
        if config_source is not None:
            self.conf.config_from_object(config_source)
        self._complete()
        if set_as_current:
            self.set_current()
        self.on_init()

    def _settings(self, given: Mapping[str, object]) -> Settings:
        """The settings, from those of the constructor; an adapter may have others."""
        return Settings(given)

    def _complete(self) -> None:
        """Called by the constructor before :meth:`on_init`, for adapters that add parts of their own."""

    def _configured(self) -> None:
        """Settings were read for the first time."""
        self.on_configure.tell(self)
        self.on_after_configure.tell(self, source=self.conf)

    def on_init(self) -> None:
        """Called at the end of the constructor; for subclasses."""

    def set_current(self) -> None:
        """Become the application that ``current_app`` means."""
        holder.set(self)

    # Tasks

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, T]], /) -> CoroutineTask[P, T]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> BaseTask[P, R]: ...
    @overload
    def task(self, function: None = None, /, *, bind: Literal[True], **options: Any) -> BoundDecorator: ...
    @overload
    def task(self, function: None = None, /, **options: Any) -> Decorator: ...
    def task(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """``@app.task`` or ``@app.task(**options)``: make a task of a function (features.md 1.18).

        Args:
            function: any callable.
            options: attributes of the task; ``base`` is its base class, ``bind`` passes the task as first argument.

        Raises:
            TypeError: for an unknown option, or something that cannot be called.
        """
        if function is None:
            return partial(self._define, options=options)
        return self._define(function, options)

    def _define(self, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
        with self._lock:
            return self._registry.register(define_task(self, function, options, self.Task))

    def register_task(self, task: Any) -> Any:
        """Add a task object of a class of its own: ``app.register_task(AddTask())``; returns it.

        A task without a name gets one from its class, and so does its class (features.md 1.18).
        """
        with self._lock:
            return self._registry.register(own_task(self, task))

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task from those of its function and module; for subclasses to override."""
        if module == "__main__" and self.main:
            module = self.main
        return f"{module}.{name}" if module else name

    def autodiscover_tasks(self, packages: Packages = (), related_name: str | None = "tasks") -> None:
        """Import ``<package>.tasks`` of every package named, so that their tasks are registered.

        Args:
            packages: names of packages, or a function that returns them.
            related_name: the module to look for; None imports the packages themselves.
        """
        import_tasks(packages, related_name)

    @property
    def tasks(self) -> TaskRegistry:
        """The tasks by name; finalizes the application.

        Raises:
            RuntimeError: before ``finalize()``, with ``autofinalize=False``.
        """
        if not self.finalized or self._shared != len(blueprints):
            self.finalize(auto=not self.finalized)
        return self._registry

    def finalize(self, auto: bool = False) -> None:
        """Copy shared tasks into the registry. Happens by itself when ``tasks`` is first used.

        Raises:
            RuntimeError: when ``auto`` and the application asks for an explicit call.
        """
        if auto and not self.autofinalize:
            raise RuntimeError("Contract breach: app not finalized; call app.finalize() after all tasks are defined")
        with self._lock:
            if not self.finalized:
                for name, (function, options) in BUILT_IN.items():
                    self._define(function, {**options, "name": name})
            self.finalized = True
            shared = list(blueprints.values())
            for blueprint in shared:
                self._define(*blueprint)
            self._shared = len(shared)
        self.on_after_finalize.tell(self)

    send_task = send_task

    # Settings

    def config_from_object(self, obj: object, silent: bool = False, force: bool = False, namespace: str = "") -> None:
        """Take settings from a module, class, object or mapping, or one named by text. See :class:`Settings`."""
        self.conf.config_from_object(obj, silent=silent, force=force, namespace=namespace or None)

    def config_from_envvar(self, variable_name: str, silent: bool = False, force: bool = False) -> None:
        """Take settings from the module that a variable of the environment names."""
        self.conf.config_from_envvar(variable_name, silent=silent, force=force)

    def add_defaults(self, defaults: Mapping[str, object] | Callable[[], Mapping[str, object]]) -> None:
        """Add settings that hold where nothing else says otherwise."""
        self.conf.add_defaults(defaults)

    @property
    def config(self) -> Config:
        """The effective settings, frozen; the same object until one changes."""
        return self.conf.snapshot()

    setup_security = setup_security
    add_periodic_task = add_periodic_task
    timezone = Timezone()
    now = now

    # Connections

    @property
    def client(self) -> Client:
        """The runtime of this process, built on first use and again after a change of settings."""
        client, config = self._client, self.conf.snapshot()
        if client is None or client.config is not config:
            return self._connect(config)
        return client

    @property
    def pool(self) -> Pool:
        """The producer pool: ``with app.pool.acquire(block=True) as connection`` (features.md 1.12)."""
        return self.client.pool

    def _connect(self, config: Config) -> Client:
        with self._lock:
            old = self._client
            if old is not None and old.config is config:
                return old
            runtime = import_module("kernel.runtime.client")  # not before it is needed: it brings the plugin loader
            client: Client = runtime.Client.build(config, self._declared, self._mailbox)
            client.services.clock = self.clock
            self._client, self._mailbox = client, client.services.mailbox
        if old is not None:
            old.close()
        return client

    def _declared(self, name: str) -> Mapping[str, Any]:
        """The execution options that a task registered here declares."""
        task = self._registry.get(name)
        return task.prepared.call if task is not None else _NO_OPTIONS

    def close(self) -> None:
        """Close connections; they are opened again when used again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def start(self, argv: Sequence[str] | None = None) -> int:
        """Run the ``kernel`` program with this application; arguments are those of the process unless given."""
        program = import_module("kernel.cli.main")
        return int(program.main(list(sys.argv[1:] if argv is None else argv), app=self))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.main or '__main__'} at {id(self):#x}>"


holder.default_made_by(partial(Kernel, "default", set_as_current=False))
