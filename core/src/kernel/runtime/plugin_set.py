"""The values of the plugin loader: an installed plugin, a loaded one, and what all of them provide."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.compressor import Compressor
from kernel.contracts.driver import Driver
from kernel.contracts.manifest import Option
from kernel.contracts.pool import Pool
from kernel.contracts.serializer import Serializer
from kernel.errors import PluginError
from kernel.errors.near import did_you_mean

D = TypeVar("D", bound=Driver)

_REDIS = ("redis", "rediss", "redis+socket", "sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_FIRST_PARTY: Final[Mapping[str, Mapping[str, str]]] = {
    "broker": {
        **dict.fromkeys(("amqp", "amqps", "pyamqp", "rabbitmq"), "plugin-broker-amqp"),
        **dict.fromkeys(_REDIS, "plugin-broker-redis"),
        "sqs": "plugin-broker-sqs",
    },
    "backend": {
        **dict.fromkeys(_REDIS, "plugin-backend-redis"),
        **dict.fromkeys(("mongodb", "mongodb+srv"), "plugin-backend-mongo"),
        **dict.fromkeys(("memcached", "cache+memcached"), "plugin-backend-memcached"),
    },
}
"""Distributions by the schemes of their URLs: one has several, and not every scheme can be in a name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One installed plugin, not imported.

    Attributes:
        name: ``<kind>.<name>``, the name of its entry point.
        dist: name of the distribution; ``?`` when its metadata does not tell.
        version: version of the distribution; ``?`` when its metadata does not tell.
        value: ``module:attribute`` of the plugin object.
        place: the folder the distribution is installed in; for an editable one, of its metadata.
        editable: whether its code is wherever its author works on it.
    """

    name: str
    dist: str
    version: str
    value: str
    place: str = ""
    editable: bool = False

    @property
    def kind(self) -> str:
        """The first part of the name: broker, backend, serializer, compression, router, pool or another."""
        return self.name.partition(".")[0]

    @property
    def qualified(self) -> str:
        """The name that tells it from another distribution's plugin of the same name."""
        return f"{self.dist}:{self.name}"

    @property
    def unloaded(self) -> "LoadedPlugin":
        """What is known of the plugin before it is imported, for messages."""
        return LoadedPlugin(self.name, self.dist, self.version, {})


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """One plugin in use.

    Attributes:
        name: ``<kind>.<name>`` of its entry point.
        dist: the distribution it came with.
        version: that distribution's version.
        contracts: contract kind → the version it was written for.
        via: ``"shim"`` when a contract of the major version before is adapted, else ``""``.
        options: the options its drivers take.
    """

    name: str
    dist: str
    version: str
    contracts: Mapping[str, str]
    via: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Name and distribution, as messages show them."""
        return f"{self.name!r} ({self.dist} {self.version})"


@dataclass(frozen=True, slots=True)
class Provided(Generic[D]):
    """A driver factory, the plugin it comes from, and the options it takes."""

    plugin: str
    factory: Callable[..., D]
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True)
class PluginSet:
    """Everything that the chosen plugins provide.

    Attributes:
        brokers: URL scheme → broker factory.
        backends: URL scheme → result backend factory.
        serializers: in the order loaded; names and content types are unique.
        compressors: in the order loaded; names, aliases and encodings are unique.
        routers: name → factory taking the rules of configuration.
        pools: name → pool class.
        middleware: objects with per-task methods, in the order loaded.
        loaded: the plugins themselves.
        failed: why each optional plugin that could not be used was left out.
        owners: what a name is of, such as ``serializer``, and the name → the plugin that provides it.
        hooks: pluggy's HookRelay, untyped here to do without its import. For start-up and the edges of a process's
            life, never per message.
    """

    brokers: Mapping[str, Provided[Broker]]
    backends: Mapping[str, Provided[ResultBackend]]
    serializers: tuple[Serializer, ...]
    compressors: tuple[Compressor, ...]
    routers: Mapping[str, Callable[[object], Any]]
    pools: Mapping[str, type[Pool]]
    middleware: tuple[object, ...]
    loaded: tuple[LoadedPlugin, ...]
    failed: tuple[PluginError, ...]
    hooks: Any
    owners: Mapping[tuple[str, str], LoadedPlugin] = field(default_factory=dict)

    def broker(self, scheme: str) -> Provided[Broker]:
        """The broker of a URL scheme, or E101."""
        return _provider(self.brokers, scheme, "broker")

    def backend(self, scheme: str) -> Provided[ResultBackend]:
        """The result backend of a URL scheme, or E101."""
        return _provider(self.backends, scheme, "backend")


def _provider(known: Mapping[str, Provided[D]], scheme: str, kind: str) -> Provided[D]:
    try:
        return known[scheme.lower()]
    except KeyError:
        raise missing_scheme(kind, scheme, known) from None


def missing_scheme(kind: str, scheme: str, known: Mapping[str, object]) -> PluginError:
    """E101 for a URL whose scheme no plugin provides; ``kind`` is broker or backend."""
    what = {"broker": "broker", "backend": "result backend"}[kind]
    lower = scheme.lower()
    dist = _FIRST_PARTY[kind].get(lower) or (f"plugin-{kind}-{lower}" if lower.isalnum() else None)
    advice = (
        f"Install one: pip install {dist}"
        if dist
        else f"Use one of {', '.join(sorted({*known, *_FIRST_PARTY[kind]}))}."
    )
    if lower not in _FIRST_PARTY[kind]:
        advice = did_you_mean(scheme, known) or advice
    return PluginError(
        "E101", f"no plugin provides {what} URLs of scheme {scheme!r}.", cure=advice, plugin=f"{kind}.{scheme}"
    )
