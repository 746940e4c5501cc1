"""The application that code without one of its own means: the one created last, else a default one."""

import threading
from collections.abc import Callable
from typing import Any

from kernel.model.context import current


class Holder:
    """Where the current application is kept. Safe in any thread."""

    def __init__(self) -> None:
        self._app: Any = None
        self._make: Callable[[], Any] | None = None
        self._lock = threading.RLock()

    def set(self, app: object) -> None:
        """Make an application the current one."""
        self._app = app

    @property
    def current(self) -> Any:
        """The current application, None when there is none; none is made."""
        return self._app

    def default_made_by(self, make: Callable[[], Any]) -> None:
        """Say how an application is made when none was created."""
        self._make = make

    def get(self) -> Any:
        """The current application; a default one is made when there is none.

        Raises:
            RuntimeError: when there is none and none can be made.
        """
        if self._app is None:
            with self._lock:
                if self._app is None:
                    if self._make is None:
                        raise RuntimeError("There is no application; create one: app = Kernel('proj')")
                    self._app = self._make()
        return self._app


holder = Holder()


class CurrentApp:
    """Forwards every attribute to the current application, so that it may be imported before one exists.

    It is for interactive use and for libraries' shared tasks; other code takes the application as an argument
    (features.md 1.15).
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(holder.get(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(holder.get(), name, value)

    def _get_current_object(self) -> Any:
        """The application itself, by the name that users of the calling API know."""
        return holder.get()

    def __repr__(self) -> str:
        return repr(holder.get())


current_app = CurrentApp()


def app_or_default(app: Any = None) -> Any:
    """``app``, or the current application when it is None (features.md 1.15)."""
    return holder.get() if app is None else app


class CurrentTask:
    """Forwards every attribute to the task that runs here now; false when none does (features.md 2.2)."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        running = current.get()
        if running is None:
            raise AttributeError(f"current_task.{name}: no task runs here")
        return getattr(running.task, name)

    def _get_current_object(self) -> Any:
        """The task itself, or None."""
        running = current.get()
        return None if running is None else running.task

    def __bool__(self) -> bool:
        return current.get() is not None

    def __repr__(self) -> str:
        running = current.get()
        return "<no current task>" if running is None else repr(running.task)


current_task = CurrentTask()
