"""``app.conf`` of a Celery application: read and written in Celery's words, acted upon in the kernel's.

What is given is kept as it was given. When the effective settings are asked for after a change, the whole of it is
translated anew, and becomes the source "configuration object" of the kernel's settings. So the command line and
``KERNEL_`` variables stay stronger, ``kernel.toml`` and defaults weaker.
"""

import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from os import PathLike
from typing import Any

from kernel.app.config_environment import process_environment
from kernel.app.config_layers import Layer, given
from kernel.app.setting_table import SETTINGS
from kernel.app.settings import Defaults, Settings
from kernel.contracts.manifest import ENTRY_POINT_GROUP
from kernel.errors import ImproperlyConfigured, UnknownSetting
from kernel.errors.near import did_you_mean
from kernel.model.masking import masked
from plugin_compat_celery.adapter.configuration.addresses import LOCAL_BROKER
from plugin_compat_celery.adapter.configuration.backend_address import BACKENDS, asks_elsewhere
from plugin_compat_celery.adapter.configuration.decisions import Translation
from plugin_compat_celery.adapter.configuration.defaults import ALL, DEFAULTS
from plugin_compat_celery.adapter.configuration.given import Given, WatchedDict, Without
from plugin_compat_celery.adapter.configuration.reading import ENVIRONMENT, today
from plugin_compat_celery.adapter.configuration.translate import translate

ORIGIN = "celery configuration"
_OURS = (ORIGIN, "default", "constructor")
_LIKE: Mapping[str, str] = {
    "broker_read_url": "broker_url",
    "broker_write_url": "broker_url",
    "task_default_exchange": "task_default_queue",
    "task_default_routing_key": "task_default_queue",
}
"""Attributes that are the same as another one until they are given; as items they are None."""
_HERE: Mapping[str, Any] = {
    "broker_url": LOCAL_BROKER,
    "worker_hijack_root_logger": True,
}
"""Defaults of Celery that an application written for it relies on, and that are others in the kernel."""
_FORMATS = frozenset({"compression.brotli", "compression.zstd", "serializer.msgpack", "serializer.yaml"})
"""Formats that a call may name there as soon as they are installed, without a word in the configuration."""


class UnsupportedSetting(UserWarning):
    """A setting of Celery without an effect here; said once, when settings are first needed."""


class UnknownKey(UnknownSetting, KeyError):
    """``app.conf[name]`` for a name that is no setting and that nobody gave."""

    __str__ = UnknownSetting.__str__


class CelerySettings(Settings):
    """Settings by attribute or item, by the names of Celery, old ones included.

    Args:
        constructor: settings that the application was made with.
        prefix: namespace of settings, such as ``'CELERY'``.
        environ: the environment; None is that of the process.
        cwd: where ``kernel.toml`` is looked for; None is the working directory.
    """

    __slots__ = ("_given", "_told", "_translation")

    def __init__(
        self,
        constructor: Mapping[str, Any] | None = None,
        *,
        prefix: str | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
    ) -> None:
        variables = process_environment() if environ is None else environ
        self._given = Given(constructor or {}, prefix, variables)
        self._translation: Translation | None = None
        self._told: frozenset[str] = frozenset()
        super().__init__({"namespace": "celery"}, environ=Without(variables, ENVIRONMENT), cwd=cwd)

    # Reading

    def __getitem__(self, name: str) -> Any:
        key = today(name, self._given.prefix)
        everything = self._given.all()
        if key in everything and not self._overruled(key):
            return self._watched(key, everything[key])
        if key in SETTINGS and (found := getattr(self.snapshot(), key)) is not None:
            return self._watched(key, dict(found) if isinstance(found, Mapping) else found)
        if key in ALL:
            return self._watched(key, DEFAULTS.get(key))
        if key in SETTINGS:
            return None
        near = did_you_mean(name, ALL)
        raise UnknownKey(f"There is no setting {name}, and nobody gave it. {near}".rstrip())

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return self[_LIKE[name]] if found is None and name in _LIKE else found

    def origin(self, name: str) -> str:
        """Where the value comes from; for a setting that only Celery has: the configuration, or its default there."""
        if name in SETTINGS:
            return super().origin(name)
        return ORIGIN if name in self._given.all() else "default"

    def _watched(self, name: str, value: Any) -> Any:
        """The value as it may be handed out: a plain mapping that tells when it is changed in place."""
        if type(value) is not dict:
            return value
        return WatchedDict(value, lambda mapping: self.update({name: mapping}))

    def _overruled(self, key: str) -> bool:
        """Whether the command line or a variable of the kernel says otherwise."""
        return key in SETTINGS and not self.origin(key).startswith(_OURS)

    def __contains__(self, name: object) -> bool:
        key = today(name, self._given.prefix) if isinstance(name, str) else name
        return key in ALL or key in self._given.all() or key in SETTINGS

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._given.all(), *DEFAULTS]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def get(self, key: str, default: Any = None) -> Any:
        """The value; ``default`` only for a name that is no setting and that nobody gave."""
        if key not in self:
            return default
        return self[key]

    def first(self, *names: str) -> Any:
        """The first of these settings that is not None."""
        return next((found for name in names if (found := self.get(name)) is not None), None)

    def get_by_parts(self, *parts: str) -> Any:
        """The value of a name in parts: ``get_by_parts('worker', 'concurrency')``."""
        return self["_".join(part for part in parts if part)]

    def find_value_for_key(self, name: str, namespace: str = "celery") -> Any:
        """The value of a name without its first part: ``find_value_for_key('concurrency', 'worker')``."""
        whole = f"{namespace.lower()}_{name.lower()}"
        return self[whole if whole in self else name.lower()]

    def value_set_for(self, name: str) -> bool:
        """Whether somebody gave it."""
        return today(name, self._given.prefix) in self._given.all()

    def without_defaults(self) -> dict[str, Any]:
        """What was given, by the names of today."""
        return dict(self._given.all())

    @property
    def changes(self) -> dict[str, Any]:
        """What was set at run time."""
        return self._given.changes

    def finalize(self) -> "CelerySettings":
        """Read every source now."""
        self._given.all()
        return self

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """The settings that were given, or all of Celery's; passwords, keys and tokens are masked."""
        names = list(self) if with_defaults else list(self._given.all())
        shown = {name: self[name] for name in names}
        if not censored:
            return shown
        return {name: masked(value, name, secret=_is_secret(name)) for name, value in shown.items()}

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """The same as lines of text."""
        return "\n".join(f"{name}: {value!r}" for name, value in self.table(with_defaults, censored).items())

    def translation(self) -> Translation:
        """What became of each setting that was given."""
        if self._translation is None:
            given = self._given.all()
            points = entry_points(group=BACKENDS) if asks_elsewhere(given) else ()
            self._translation = translate(given, {point.name: point.value for point in points}, self._given.spelled)
        return self._translation

    # Writing

    def update(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Change several settings at run time; values are checked when settings are next needed."""
        with self._lock:
            for name, value in {**(settings or {}), **more}.items():
                self._given.change(name, value)
            self._forget("object")

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Give a setting that nobody gave."""
        if not self.value_set_for(name):
            self.update({name: default})
        return self[name]

    def __setattr__(self, name: str, value: object) -> None:
        if name in CelerySettings.__slots__:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    # Sources

    def config_from_object(
        self, obj: object, *, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from a module, class, instance or mapping, or from one named by text.

        What was or will be set by the constructor or here is stronger. It is read with the first value, or at once
        with ``force``.
        """
        if obj is None or obj == "":
            raise ImproperlyConfigured(
                f"config_from_object({obj!r}) names nothing.", cure="Give a module or an object."
            )
        with self._lock:
            self._given.prefix = namespace if namespace is not None else self._given.prefix
            self._given.set_object(obj, silent=silent)
            self._forget("object")
            if force:
                self._given.all()

    def add_defaults(self, defaults: Defaults) -> None:
        """Add a source that is weaker than all others; a function is called with the first read."""
        with self._lock:
            self._given.add_defaults(defaults)
            self._forget("object")

    def _forget(self, kind: str) -> None:
        self._translation = None
        super()._forget(kind)

    def _read_source(self, kind: str) -> Layer:
        if kind == "object":
            translation = self.translation()
            self._tell(translation)
            return {name: given(name, value, ORIGIN) for name, value in translation.settings.items()}
        layer = super()._read_source(kind)
        if kind == "defaults":
            layer = {**{name: given(name, value, "default") for name, value in _defaults().items()}, **layer}
        return layer

    def _tell(self, translation: Translation) -> None:
        unsupported = {each.given: each.note for each in translation.unsupported if "." not in each.name}
        news = unsupported.keys() - self._told
        self._told |= news
        for name in sorted(news):
            warnings.warn(f"{name} has no effect. {unsupported[name]}", UnsupportedSetting, stacklevel=2)


def _defaults() -> dict[str, Any]:
    installed = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return {**_HERE, "plugins": tuple(f"{name}?" for name in sorted(_FORMATS & installed))}


def _is_secret(name: str) -> bool:
    return name in SETTINGS and SETTINGS[name].secret
