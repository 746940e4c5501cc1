"""Settings in Python objects: modules, classes, instances and mappings (features.md 1.16, 2.13)."""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple

from kernel.app.celery_names import CELERY_ONLY, name_of_today
from kernel.app.config_layers import Layer, given
from kernel.app.setting_names import unknown_setting
from kernel.app.setting_table import SETTINGS
from kernel.errors.setup import ImproperlyConfigured

_DATA = (str, bytes, int, float, list, tuple, dict, set, frozenset, type(None))


class ObjectSource(NamedTuple):
    """What ``config_from_object`` was given; a name is imported when it is read.

    Attributes:
        source: the object, or ``'module'``, ``'module:attr'``, ``'module.attr'``.
        silent: a module that cannot be imported counts as empty.
        namespace: only upper-case names behind ``<NAMESPACE>_`` count, as in Django settings; None takes the names
            of settings themselves.
    """

    source: object
    silent: bool = False
    namespace: str | None = None

    @property
    def shown(self) -> str:
        """The object's name, for messages; never its content."""
        if isinstance(self.source, str):
            return self.source
        name = getattr(self.source, "__qualname__" if isinstance(self.source, type) else "__name__", None)
        return name if isinstance(name, str) else type(self.source).__name__


def read_object(source: ObjectSource) -> Layer:
    """The settings an object gives.

    Raises:
        ImproperlyConfigured: the name cannot be imported, or a value is ill-typed.
        UnknownSetting: a name that ought to be a setting is none.
    """
    found = load_source(source)
    origin = f"config_from_object {source.shown}"
    if source.namespace is not None:
        return _read_namespace(found, source.namespace.upper().rstrip("_") + "_", origin)
    names = [name for name in _names(found) if isinstance(found, Mapping) or _is_meant(name, found)]
    return {name: given(name, _value(found, name), origin) for name in names}


def _read_namespace(found: object, prefix: str, origin: str) -> Layer:
    layer = {}
    for name in _names(found):
        if prefix == "CELERY_" and name.startswith(("CELERYD_", "CELERYBEAT_")):
            raise unknown_setting(name, origin)
        if name.startswith(prefix):
            setting = name.removeprefix(prefix).lower()
            if setting not in SETTINGS:
                raise unknown_setting(setting, origin, prefix=prefix)
            layer[setting] = given(setting, _value(found, name), f"{origin}, {name}")
    return layer


def _is_meant(name: str, found: object) -> bool:
    """Whether an attribute is a setting or ought to be one: a module also has imports, helpers and constants.

    So that no typing error is lost, every lower-case public name with plain data counts; a helper takes a leading
    underscore.
    """
    if name in SETTINGS or name in CELERY_ONLY or name_of_today(name, SETTINGS) is not None:
        return True
    return name.islower() and isinstance(getattr(found, name), _DATA)


def _names(found: object) -> list[str]:
    if not isinstance(found, Mapping):
        return [name for name in dir(found) if not name.startswith("_")]
    for key in found:
        if not isinstance(key, str):
            raise ImproperlyConfigured(f"The configuration has a key that is no text: {key!r}.", cure="Use names only.")
    return list(found)


def _value(found: object, name: str) -> object:
    return found[name] if isinstance(found, Mapping) else getattr(found, name)


def load_source(source: ObjectSource) -> object:
    """The object itself, imported if it is given by name.

    Only the absence of the named module itself can be silent; what goes wrong inside it never is.

    Raises:
        ImproperlyConfigured: the name cannot be imported.
    """
    if not isinstance(source.source, str):
        return source.source
    name = source.source
    module, colon, attribute = name.partition(":")
    try:
        _check_spelling(name)
        return _attribute(importlib.import_module(module), attribute) if colon else _module_or_attribute(name)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        if absent and source.silent:
            return {}
        raise ImproperlyConfigured(
            f"The configuration {name!r} cannot be imported: {error}.",
            cure="Give a module on the path, 'module:attribute', or an object.",
        ) from error


def _check_spelling(name: str) -> None:
    if not all(part.isidentifier() for part in name.replace(":", ".", 1).split(".")):
        raise ImportError("it is no dotted name", name=name)


def _module_or_attribute(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        parent, dot, attribute = name.rpartition(".")
        if error.name != name or not dot:
            raise
        return _attribute(importlib.import_module(parent), attribute)


def _attribute(module: ModuleType, path: str) -> object:
    found: object = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise ImportError(f"module {module.__name__!r} has no attribute {path!r}", name=module.__name__)
        found = getattr(found, part)
    return found
