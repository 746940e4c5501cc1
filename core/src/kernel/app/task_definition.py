"""How a function, or an object of a task class, becomes a task of an application (features.md 1.18)."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kernel.app.ports import App
from kernel.app.task import Task
from kernel.app.task_class import task_class
from kernel.app.task_settings import reject_unknown_options


class Naming(App, Protocol):
    """An application that names tasks."""

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task."""


def define_task(app: Naming, function: Callable[..., Any], options: Mapping[str, Any], base: type) -> Any:
    """A task whose body is ``function``.

    Args:
        app: what it belongs to.
        function: any callable.
        options: its attributes; ``base`` and ``name`` among them are the base class and the name.
        base: the base class when ``options`` has none.

    Raises:
        TypeError: for an unknown option, or something that cannot be called.
    """
    if isinstance(function, Task) or not callable(function):
        raise TypeError(f"@app.task takes a function and options by name, not {function!r:.80}")
    given = dict(options)
    base = given.pop("base", None) or base
    if not (isinstance(base, type) and issubclass(base, Task)):
        raise TypeError(f"base must be a class derived from kernel.Task, not {base!r:.80}")
    reject_unknown_options(given, base)
    plain = getattr(function, "__name__", None) or type(function).__name__
    name = given.pop("name", None) or app.gen_task_name(plain, getattr(function, "__module__", None) or "")
    shown = f"<{type(app).__name__} {app.main or '__main__'}:{id(app):#x}>"
    task = task_class(function, base, shown, {**given, "name": name})()
    task.owner = app
    task.on_bound(app)
    return task


def own_task(app: Naming, task: Any) -> Any:
    """A task object of a class of its own, named and given to an application.

    Args:
        app: what it belongs to.
        task: the object, or its class.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(task, type):
        task = task()
    if not isinstance(task, Task):
        raise TypeError(f"register_task takes an object of a class derived from Task, not {task!r:.80}")
    kind = type(task)
    if not task.name:
        task.name = app.gen_task_name(kind.__name__, kind.__module__)
        if not kind.name:
            kind.name = task.name
    task.owner = app
    task.on_bound(app)
    return task
