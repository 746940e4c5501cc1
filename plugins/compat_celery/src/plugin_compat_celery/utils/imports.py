"""``celery.utils.imports``: objects by name, and modules of the working directory."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.alias import ALIAS, PACKAGE


class NotAPackage(Exception):
    """A module was to be found in something that is no package."""


def qualname(obj: Any) -> str:
    """``module.name`` of an object, or of its class."""
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    return f"{named.__module__}.{named.__qualname__}"


def symbol_by_name(
    name: Any,
    aliases: dict[str, str] | None = None,
    imp: Callable[..., Any] | None = None,
    package: str | None = None,
    sep: str = ".",
    default: Any = None,
) -> Any:
    """The object a text names: ``pkg.module:Class`` or ``pkg.module.Class``; anything but a text is returned as it is.

    Names below ``celery`` mean this package, whether or not that is their name in this process.

    Args:
        name: the text.
        aliases: short names for others.
        imp: imports a module; None is :func:`importlib.import_module`.
        package: what a relative name is relative to.
        sep: between the module and the attribute, when there is no colon.
        default: returned instead of an error.

    Raises:
        ImportError: there is no such module.
        AttributeError: it has no such attribute.
    """
    if not isinstance(name, str):
        return name
    name = (aliases or {}).get(name, name)
    if name.partition(".")[0].partition(":")[0] == ALIAS:
        name = PACKAGE + name.removeprefix(ALIAS)
    module, _, attribute = name.partition(":") if ":" in name else name.rpartition(sep)
    try:
        found = (imp or importlib.import_module)(*((module or attribute,) if package is None else (module, package)))
        return getattr(found, attribute) if module and attribute else found
    except (ImportError, AttributeError):
        if default is None:
            raise
    return default


def instantiate(name: Any, *args: Any, **kwargs: Any) -> Any:
    """An object of the class that a text names."""
    return symbol_by_name(name)(*args, **kwargs)


def try_import(module: str, default: Any = None) -> Any:
    """The module, or ``default`` when there is none."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return default


@contextmanager
def cwd_in_path() -> Iterator[None]:
    """Modules of the working directory can be imported inside."""
    folder = os.getcwd()  # noqa: PTH109 - an entry of sys.path is a text
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)


def find_module(module: str, path: str | None = None, imp: Callable[[str], ModuleType] | None = None) -> Any:
    """The module, also from the working directory.

    Args:
        module: its name.
        path: of old callers; must be None.
        imp: imports a module.

    Raises:
        ImportError: there is none.
        NotAPackage: what stands before its last dot is a module without others in it.
    """
    if path is not None:
        raise TypeError("find_module: path is not supported; put the folder on sys.path")
    parent = module.rpartition(".")[0]
    with cwd_in_path():
        if parent and not hasattr(importlib.import_module(parent), "__path__"):
            raise NotAPackage(parent)
        return (imp or importlib.import_module)(module)


def import_from_cwd(module: str, imp: Callable[..., ModuleType] | None = None, package: str | None = None) -> Any:
    """Import a module, also from the working directory."""
    with cwd_in_path():
        return (imp or importlib.import_module)(module, package=package)


def reload_from_cwd(module: ModuleType, reloader: Callable[[ModuleType], ModuleType] | None = None) -> ModuleType:
    """Import a module again."""
    with cwd_in_path():
        return (reloader or importlib.reload)(module)


def module_file(module: ModuleType) -> str:
    """The file of a module."""
    return module.__file__ or ""


def gen_task_name(app: Any, name: str, module_name: str) -> str:
    """The name an application gives to a task."""
    text: str = app.gen_task_name(name, module_name)
    return text


__getattr__ = missing(__name__)

__all__ = [
    "NotAPackage",
    "cwd_in_path",
    "find_module",
    "gen_task_name",
    "import_from_cwd",
    "instantiate",
    "module_file",
    "qualname",
    "reload_from_cwd",
    "symbol_by_name",
]
