"""Tasks of libraries, which belong to every application of the process (features.md 2.2)."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, cast, overload

from kernel.app.coroutine_task import CoroutineTask
from kernel.app.current import holder
from kernel.app.decorators import BoundDecorator, Decorator
from kernel.app.task import Task

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Blueprint(NamedTuple):
    """A task that every application makes its own copy of."""

    function: Callable[..., Any]
    options: Mapping[str, Any]


blueprints: dict[str, Blueprint] = {}
"""By the place of the function, so that a module loaded again replaces its own and adds nothing."""


class SharedTask:
    """Stands for the current application's copy of a shared task, and forwards everything to it."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self.__wrapped__ = blueprint.function
        self.__doc__ = blueprint.function.__doc__

    def _task(self) -> Any:
        app = holder.get()
        function, options = self._blueprint
        return app.tasks[options.get("name") or app.gen_task_name(function.__name__, function.__module__)]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._task(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._task()(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return (
            other is self or other is self._task() or (isinstance(other, SharedTask) and other._task() is self._task())
        )

    def __hash__(self) -> int:
        return hash(self._blueprint.function)

    def __evaluated__(self) -> bool:
        """Whether the current application has its copy already."""
        return bool(holder.get().finalized)

    def __repr__(self) -> str:
        return repr(self._task())


@overload
def shared_task(function: Callable[P, Coroutine[Any, Any, T]], /) -> CoroutineTask[P, T]: ...
@overload
def shared_task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def shared_task(function: None = None, /, *, bind: Literal[True], **options: Any) -> BoundDecorator: ...
@overload
def shared_task(function: None = None, /, **options: Any) -> Decorator: ...
def shared_task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """``@shared_task``: like ``@app.task``, for code that does not know the application.

    Every application of the process gets the task when it is finalized; calls go through the current application.

    Raises:
        TypeError: when it is applied to what is a task already.
    """
    if function is None:
        return partial(_shared, options=options)
    return _shared(function, options)


def _shared(function: Callable[..., Any], options: Mapping[str, Any]) -> Task[..., Any]:
    if isinstance(function, (SharedTask, Task)):
        raise TypeError(f"{function!r} is a task already: write @shared_task once, directly above the function")
    if not callable(function):
        raise TypeError(f"@shared_task takes a function and options by name, not {function!r:.80}")
    blueprint = Blueprint(function, dict(options))
    blueprints[options.get("name") or f"{function.__module__}.{function.__qualname__}"] = blueprint
    return cast("Task[..., Any]", SharedTask(blueprint))
