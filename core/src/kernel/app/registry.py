"""The tasks of an application, by name."""

import warnings
from typing import Any

from kernel.errors import NotRegistered
from kernel.errors.near import did_you_mean
from kernel.errors.warnings import DuplicateTaskNameWarning


class TaskRegistry(dict[str, Any]):
    """Task name → task. The first task of a name stays (features.md 1.18)."""

    def __missing__(self, name: str) -> Any:
        raise NotRegistered(
            name, cure=did_you_mean(name, self) or "Import the module that defines it, or list it in 'include'."
        )

    def register(self, task: Any) -> Any:
        """Add a task; the one that is registered under its name afterwards.

        Another task of the same name is refused with a warning. The same function defined again, as when its module is
        reloaded, is not worth one.
        """
        known = self.setdefault(task.name, task)
        if known is not task and not _same(known, task):
            warnings.warn(
                f"Two tasks are named {task.name!r}: {_origin(known)} stays registered and {_origin(task)} is ignored; "
                "give one of them another name=",
                DuplicateTaskNameWarning,
                stacklevel=4,
            )
        return known

    def unregister(self, task: Any) -> None:
        """Remove a task, given itself or its name.

        Raises:
            NotRegistered: when it is not there.
        """
        name = getattr(task, "name", task)
        if self.pop(name, None) is None:
            raise NotRegistered(name, cure=did_you_mean(str(name), self))


def _origin(task: Any) -> str:
    body = getattr(task, "__wrapped__", type(task))
    return f"{getattr(body, '__module__', '')}.{getattr(body, '__qualname__', body)}"


def _same(one: Any, other: Any) -> bool:
    return _origin(one) == _origin(other) and _code(one) == _code(other)


def _code(task: Any) -> object:
    return getattr(getattr(task, "__wrapped__", None), "__code__", None)
