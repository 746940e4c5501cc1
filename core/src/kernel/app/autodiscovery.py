"""Imports the task modules of packages (features.md 2.2)."""

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

Packages = Sequence[str] | Callable[[], Iterable[str]]


def import_tasks(packages: Packages, related_name: str | None) -> list[ModuleType]:
    """Import ``<package>.<related_name>`` of every package that has it; the modules found.

    A missing module is skipped. An error inside one that exists is raised: hiding it would hide its tasks.

    Args:
        packages: names, or a function that returns them.
        related_name: name of the module; None imports the packages themselves.
    """
    names = packages() if callable(packages) else packages
    if isinstance(names, str):
        raise TypeError(f"autodiscover_tasks takes a list of packages, not the text {names!r}: write [{names!r}]")
    return [module for name in names if (module := _import(name, related_name)) is not None]


def _import(package: str, related_name: str | None) -> ModuleType | None:
    found = import_module(package)
    if related_name is None:
        return found
    name = f"{package}.{related_name}"
    if not hasattr(found, "__path__") or find_spec(name) is None:
        return None
    return import_module(name)
