"""Builds executors: in the same process, in a forked child, or in a fresh interpreter."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from kernel.app.imports import import_task_modules
from kernel.app.kernel import Kernel
from kernel.errors import ImproperlyConfigured
from kernel.runtime.executor import TaskExecutor
from kernel.runtime.logs import LogSettings, Redirection, set_up


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """What every executor of a node is told.

    Attributes:
        hostname: name of the node.
        log_level: lowest level worth a log line.
        task_events: whether monitoring events are wanted.
        logs: how every executor logs when each has a file of its own.
    """

    hostname: str
    log_level: int = logging.WARNING
    task_events: bool = False
    logs: LogSettings | None = None


class InheritingFactory:
    """For pools in this process, and for children that are forked: the application is there already."""

    def __init__(self, app: Kernel, options: ExecutorOptions) -> None:
        self._app = app
        self._options = options
        self._pid = os.getpid()

    def __call__(self) -> TaskExecutor:
        """A new executor."""
        options = self._options
        if os.getpid() != self._pid:
            self._app.on_after_fork.send(self._app)
        services = self._app.client.services
        services.node = options.hostname  # what tasks send from here comes from this worker: header ``origin``
        return TaskExecutor(
            self._app.tasks,
            services,
            node=options.hostname,
            log_level=options.log_level,
            events=options.task_events,
            logs=options.logs if options.logs is not None and options.logs.by_executor else None,
        )


@dataclass(frozen=True, slots=True)
class SpawningFactory:
    """For fresh interpreters: imports the application by its path, and gives it the parent's settings. Picklable.

    Attributes:
        module: where the application is.
        attribute: its name there.
        settings: every setting that is not at its default.
        options: as above.
        log_path: file to log to; None is the error stream.
        log_color: as in :class:`LogSettings`.
        preload: modules imported before.
    """

    module: str
    attribute: str
    settings: Mapping[str, Any]
    options: ExecutorOptions
    log_path: str | None = None
    log_color: bool | None = None
    preload: Sequence[str] = ()

    def __call__(self) -> TaskExecutor:
        """A new executor."""
        for module in self.preload:
            import_module(module)
        app: Kernel = getattr(import_module(self.module), self.attribute)
        app.conf.use_command_line(self.settings)
        set_up(LogSettings(app.config, self.options.log_level, self.log_path, self.log_color))
        Redirection(app.config).__enter__()  # for the life of this process
        import_task_modules(app, app.config)
        return InheritingFactory(app, self.options)()


def where_is(app: Kernel) -> tuple[str, str]:
    """The module and attribute an application can be imported by.

    Raises:
        ImproperlyConfigured: when it stands in no module but the main program, which a fresh interpreter has not.
    """
    for module_name, module in sorted(sys.modules.items()):
        if module_name == "__main__" or module is None:
            continue
        for attribute, value in list(vars(module).items()):
            if value is app:
                return module_name, attribute
    raise ImproperlyConfigured(
        "worker_pool_start_method 'spawn' needs an application that can be imported, and this one stands in no module.",
        cure="Define it in a module of its own, or use 'fork'.",
    )
