"""Parts of an application that are built when they are first asked for: ``app.events`` and the like."""

from importlib import import_module
from typing import Any


class Part:
    """A read-only attribute of :class:`kernel.app.kernel.Kernel`, made once per application.

    Its module is imported no sooner, so that programs that only define and call tasks do not pay for it.

    Args:
        module: where its class is.
        name: the class, which is called with the application.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._class = name
        self._key = name

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._key = name

    def __get__(self, app: Any, owner: type[Any] | None = None) -> Any:
        if app is None:
            return self
        part = getattr(import_module(self._module), self._class)(app)
        return app.__dict__.setdefault(self._key, part)
