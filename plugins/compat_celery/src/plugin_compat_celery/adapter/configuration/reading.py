"""What a module, class, object or mapping says about settings, and the environment (features.md 1.16, 2.13)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from kernel.app.config_objects import ObjectSource, load_source
from kernel.app.setting_table import SETTINGS
from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.adapter.configuration.defaults import ALL
from plugin_compat_celery.adapter.configuration.names import NEW, check_unmixed, modern

ENVIRONMENT: Mapping[str, str] = {
    "CELERY_BROKER_URL": "broker_url",
    "CELERY_BROKER_READ_URL": "broker_read_url",
    "CELERY_BROKER_WRITE_URL": "broker_write_url",
    "CELERY_RESULT_BACKEND": "result_backend",
}
"""Variables that give a setting, and are stronger than everything else that says it."""
CONFIG_MODULE = "CELERY_CONFIG_MODULE"
"""Names the configuration of an application that asks for none itself."""
_NAMES = frozenset({*ALL, *NEW, *SETTINGS})
_PLAIN = (str, bytes, int, float, list, tuple, dict, set, frozenset)


class Source(NamedTuple):
    """One thing that settings were read from.

    Attributes:
        values: by name; the prefix of a namespace is gone.
        origin: where that is, for people.
        spelled: the names there, where they are others.
    """

    values: Mapping[str, Any]
    origin: str
    spelled: Mapping[str, str] = MappingProxyType({})


def read(obj: object, *, silent: bool = False, prefix: str | None = None) -> Source:
    """The settings of an object, or of one named ``'module'``, ``'module:attribute'`` or ``'module.attribute'``.

    Args:
        obj: the object or its name.
        silent: a named module that does not exist counts as empty.
        prefix: ``'CELERY'`` takes ``CELERY_<NAME>`` in upper case, and nothing else.

    Raises:
        ImproperlyConfigured: the name cannot be imported, or names of old and of today are mixed.
    """
    source = ObjectSource(obj, silent)
    found = load_source(source)
    values = {name: _value(found, name) for name in _names(found)}
    if prefix:
        return _behind(values, prefix, source.shown)
    check_unmixed(values, source.shown)
    return Source(values, source.shown)


def today(name: str, prefix: str | None) -> str:
    """The name of today of a setting in any spelling."""
    if prefix:
        front = prefix.upper().rstrip("_") + "_"
        rest = name.removeprefix(front)
        if rest != name and rest.lower() in _NAMES:
            return rest.lower()
    return modern(name)


def _behind(values: Mapping[str, Any], prefix: str, origin: str) -> Source:
    front = prefix.upper().rstrip("_") + "_"
    spelled = {name.removeprefix(front).lower(): name for name in values if name.startswith(front)}
    if isinstance(values.get("TIME_ZONE"), str):
        spelled.setdefault("timezone", "TIME_ZONE")  # Django's own
    return Source({name: values[there] for name, there in spelled.items()}, origin, spelled)


def _names(found: object) -> list[str]:
    if isinstance(found, Mapping):
        odd = next((key for key in found if not isinstance(key, str)), None)
        if odd is not None:
            raise ImproperlyConfigured(f"The configuration has a key that is no text: {odd!r}.", cure="Use names only.")
        return list(found)
    public = [name for name in dir(found) if not name.startswith("_")]
    return [name for name in public if name in _NAMES or isinstance(getattr(found, name, None), _PLAIN)]


def _value(found: Any, name: str) -> Any:
    return found[name] if isinstance(found, Mapping) else getattr(found, name)
