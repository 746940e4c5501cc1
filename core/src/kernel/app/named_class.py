"""Classes that settings name: ``module:Class`` or ``module.Class``."""

from importlib import import_module
from typing import Any

from kernel.errors import ImproperlyConfigured
from kernel.errors.near import did_you_mean


def named_class(named: Any, setting: str) -> Any:
    """The class, imported when it is given by its name.

    Raises:
        ImproperlyConfigured: when there is none of that name; an error inside its module is raised as it is.
    """
    if not isinstance(named, str):
        return named
    module, separator, name = named.partition(":") if ":" in named else named.rpartition(".")
    if not separator or not module or not name:
        raise ImproperlyConfigured(f"{setting} = {named!r} names no class.", cure="Write module:Class.")
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there; one that it imports is not
        raise ImproperlyConfigured(
            f"{setting} = {named!r}: there is no module {error.name!r}.",
            cure="Correct the name, or install the package it comes with.",
        ) from error
    if not hasattr(found, name):
        raise ImproperlyConfigured(
            f"{setting} = {named!r}: {module} has no {name!r}.", cure=did_you_mean(name, vars(found)) or "Correct it."
        )
    return getattr(found, name)
