"""``celery.loaders.base``: what an application does when workers and tasks start, as methods of one object."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType
from typing import Any

from kernel.app.autodiscovery import import_tasks
from kernel.runtime import signal_table as signals
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.utils.imports import import_from_cwd


class BaseLoader:
    """Derive from it, and give the class as ``loader=``. Methods left alone cost nothing.

    Args:
        app: the application.
    """

    builtin_modules: frozenset[str] = frozenset()

    def __init__(self, app: Any, **kwargs: Any) -> None:
        if kwargs:
            raise TypeError(f"{type(self).__name__}: unexpected {', '.join(kwargs)}; a loader takes the app only")
        self.app = app
        self._connect()

    @property
    def conf(self) -> Any:
        """The settings."""
        return self.app.conf

    def on_task_init(self, task_id: str, task: Any) -> None:
        """A task is about to run, in the process that runs it."""

    def on_process_cleanup(self) -> None:
        """A task has run, in the process that ran it."""

    def on_worker_init(self) -> None:
        """A worker starts."""

    def on_worker_shutdown(self) -> None:
        """A worker has ended."""

    def on_worker_process_init(self) -> None:
        """A process for tasks has started."""

    def now(self, utc: bool = True) -> datetime:
        """The time."""
        return datetime.now(UTC) if utc else datetime.now().astimezone()

    def read_configuration(self, env: str = "CELERY_CONFIG_MODULE") -> None:
        """Take settings from the module that a variable of the environment names, if it names one."""
        if os.environ.get(env):
            self.app.config_from_envvar(env)

    def config_from_object(self, obj: object, silent: bool = False) -> None:
        """Take settings from an object."""
        self.app.config_from_object(obj, silent=silent)

    def import_module(self, module: str, package: str | None = None) -> ModuleType:
        """Import a module."""
        return import_module(module, package)

    import_task_module = import_module

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> Any:
        """Import a module, also from the working directory."""
        return import_from_cwd(module, imp, package)

    @property
    def default_modules(self) -> tuple[str, ...]:
        """The modules that settings name for their tasks."""
        return (*self.conf.imports, *self.conf.include)

    def import_default_modules(self) -> list[ModuleType]:
        """Import them."""
        signals.import_modules.send(sender=self.app)
        return [self.import_task_module(name) for name in self.default_modules]

    def autodiscover_tasks(self, packages: Iterable[str], related_name: str | None = "tasks") -> list[ModuleType]:
        """Import ``<package>.tasks`` of every package that has it."""
        return import_tasks(tuple(packages), related_name)

    def _connect(self) -> None:
        for name, signal in _TOLD.items():
            if getattr(type(self), name) is not getattr(BaseLoader, name):
                signal.connect(getattr(self, f"_{name}"), weak=False, dispatch_uid=(id(self), name))

    def _on_task_init(self, task_id: str, task: Any, **_: Any) -> None:
        self.on_task_init(task_id, task)

    def _on_process_cleanup(self, **_: Any) -> None:
        self.on_process_cleanup()

    def _on_worker_init(self, **_: Any) -> None:
        self.on_worker_init()

    def _on_worker_shutdown(self, **_: Any) -> None:
        self.on_worker_shutdown()

    def _on_worker_process_init(self, **_: Any) -> None:
        self.on_worker_process_init()


_TOLD = {
    "on_task_init": signals.task_prerun,
    "on_process_cleanup": signals.task_postrun,
    "on_worker_init": signals.worker_init,
    "on_worker_shutdown": signals.worker_shutdown,
    "on_worker_process_init": signals.worker_process_init,
}
"""Which signal calls which method of a loader that has it."""


def autodiscover_tasks(packages: Sequence[str], related_name: str | None = "tasks") -> list[ModuleType]:
    """Import ``<package>.tasks`` of every package that has it."""
    return import_tasks(tuple(packages), related_name)


def find_related_module(package: str, related_name: str | None) -> ModuleType | None:
    """``<package>.<related_name>``, or None when there is none."""
    return next(iter(import_tasks((package,), related_name)), None)


__getattr__ = missing(__name__)

__all__ = ["BaseLoader"]
