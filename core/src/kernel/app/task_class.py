"""A class per task: how a function becomes one, and how it looks (features.md 1.15, 1.18)."""

from collections.abc import Callable, Mapping
from typing import Any


class TaskType(type):
    """The type of task classes; it only knows how they are shown."""

    def __repr__(cls) -> str:
        app = cls.__dict__.get("_defined_for")
        if app is None:
            return f"<unbound {cls.__name__}>"
        return f"<class {cls.__name__} of {app}>"


def task_class(function: Callable[..., Any], base: type, app: str, options: Mapping[str, Any]) -> type:
    """A subclass of ``base`` whose body is ``function``.

    Args:
        function: any callable.
        base: :class:`kernel.Task` or a class derived from it.
        app: how the application is shown.
        options: become class attributes; ``bind`` makes the task the function's first argument.
    """
    name = getattr(function, "__name__", type(function).__name__)
    members = {
        "__module__": getattr(function, "__module__", None) or "",
        "__doc__": function.__doc__,
        "__wrapped__": staticmethod(function),
        "_defined_for": app,
        **options,
        "run": function if options.get("bind") else staticmethod(function),
    }
    return TaskType(name, (base,), members)
