"""Gathering what plugins provide; two claims to one name or scheme are an error (E105), never a silent choice."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kernel.contracts.compressor import Compressor
from kernel.contracts.manifest import CONTRACTS
from kernel.contracts.pool import Pool
from kernel.contracts.serializer import Serializer
from kernel.errors import PluginError
from kernel.runtime.plugin_admission import Admitted, Registry, guarded
from kernel.runtime.plugin_failures import bad_hook
from kernel.runtime.plugin_set import LoadedPlugin, PluginSet, Provided


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that provides things: its name, the contract they follow, and what they are called in messages."""

    name: str
    contract: str
    noun: str


BROKERS = Hook("kernel_brokers", "broker", "broker scheme")
BACKENDS = Hook("kernel_result_backends", "result_backend", "result backend scheme")
ROUTERS = Hook("kernel_routers", "router", "router")
POOLS = Hook("kernel_pools", "pool", "pool")
SERIALIZERS = Hook("kernel_serializers", "serializer", "serializer")
COMPRESSORS = Hook("kernel_compressors", "compressor", "compressor")
MIDDLEWARE = "kernel_middleware"
ENCODING = "compression encoding"


class Providers:
    """Grows by one admitted plugin at a time; a plugin that is refused leaves no trace."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._owners: dict[tuple[str, str], LoadedPlugin] = {}
        self._mapped: dict[Hook, dict[str, tuple[LoadedPlugin, Any]]] = {
            hook: {} for hook in (BROKERS, BACKENDS, ROUTERS, POOLS)
        }
        self._listed: dict[Hook, list[Any]] = {hook: [] for hook in (SERIALIZERS, COMPRESSORS)}
        self._middleware: list[object] = []
        self._loaded: list[LoadedPlugin] = []

    def add(self, admitted: Admitted) -> None:
        """Ask a plugin for everything it provides.

        Raises:
            PluginError: E103 for a hook that fails or returns something else than its specification says, E104 for a
                kind of thing whose contract the manifest does not declare, E105 for a name that is taken, E108.
        """
        plugin = admitted.plugin
        mapped = {hook: self._read_mapping(admitted, hook) for hook in self._mapped}
        listed = {hook: self._read_list(admitted, hook) for hook in self._listed}
        middleware = self._ask(plugin, MIDDLEWARE, (list, tuple)) or []
        claims = list(_claims(mapped, listed))
        for claim in claims:
            owner = self._owners.get(claim)
            if owner is not None and not _may_share(claim, owner, plugin):
                raise clash_error(claim, owner, plugin)
        self._owners.update(dict.fromkeys(claims, plugin))
        for hook, things in mapped.items():
            self._mapped[hook].update({name: (plugin, thing) for name, thing in things.items()})
        for hook, several in listed.items():
            self._listed[hook].extend(several)
        self._middleware.extend(middleware)
        self._loaded.append(plugin)

    def freeze(self, failed: list[PluginError]) -> PluginSet:
        """Everything gathered so far."""
        return PluginSet(
            brokers=self._drivers(BROKERS),
            backends=self._drivers(BACKENDS),
            serializers=tuple(self._listed[SERIALIZERS]),
            compressors=tuple(self._listed[COMPRESSORS]),
            routers=self._things(ROUTERS),
            pools=self._things(POOLS),
            middleware=tuple(self._middleware),
            loaded=tuple(self._loaded),
            failed=tuple(failed),
            hooks=self._registry.manager.hook,
            owners=MappingProxyType(dict(self._owners)),
        )

    def _things(self, hook: Hook) -> Mapping[str, Any]:
        return MappingProxyType({name: thing for name, (_, thing) in self._mapped[hook].items()})

    def _drivers(self, hook: Hook) -> Mapping[str, Provided[Any]]:
        pairs = self._mapped[hook].items()
        return MappingProxyType({name: Provided(p.name, factory, p.options) for name, (p, factory) in pairs})

    def _read_mapping(self, admitted: Admitted, hook: Hook) -> dict[str, Any]:
        given = self._provided(admitted, hook, Mapping)
        found: dict[str, Any] = {}
        for name, thing in (given or {}).items():
            if not isinstance(name, str) or not _is_usable(hook, thing):
                wanted = "pool classes" if hook is POOLS else "factories"
                raise bad_hook(admitted.plugin, f"{hook.name}() maps {name!r} to {thing!r}; it maps names to {wanted}")
            found[name.lower() if hook in {BROKERS, BACKENDS} else name] = thing
        return found

    def _read_list(self, admitted: Admitted, hook: Hook) -> list[Any]:
        given = self._provided(admitted, hook, (list, tuple)) or []
        for thing in given:
            problem = _problem_of(thing, hook)
            if problem:
                raise bad_hook(admitted.plugin, f"{hook.name}() returned {type(thing).__name__}, which {problem}")
        return list(given)

    def _provided(self, admitted: Admitted, hook: Hook, shape: type | tuple[type, ...]) -> Any:
        """What the hook returns, through the shim when the plugin needs one; None for a plugin without the hook."""
        plugin = admitted.plugin
        given = self._ask(plugin, hook.name, shape)
        if not given:
            return None
        if hook.contract not in plugin.contracts:
            message = f"plugin {plugin.origin} has {hook.name}(), but its manifest names no contract {hook.contract!r}."
            cure = f"For its author: Manifest(contracts={{{hook.contract!r}: {CONTRACTS[hook.contract]!r}}})."
            raise PluginError("E104", message, cure=cure, plugin=plugin.name)
        shim = admitted.shims.get(hook.contract)
        return given if shim is None else guarded(plugin, hook.name, _through, shim, given)

    def _ask(self, plugin: LoadedPlugin, hook: str, shape: type | tuple[type, ...]) -> Any:
        given = self._registry.call(plugin, hook)
        if given is not None and not isinstance(given, shape):
            wanted = "a mapping" if shape is Mapping else "a list"
            raise bad_hook(plugin, f"{hook}() returned {type(given).__name__}, not {wanted}")
        return given


def clash_error(claim: tuple[str, str], owner: LoadedPlugin, plugin: LoadedPlugin) -> PluginError:
    """E105 for one name claimed by two plugins."""
    noun, name = claim
    message = f"{noun} {name!r} is provided by plugin {owner.origin} and by plugin {plugin.origin}."
    cure = f"Leave one out: kernel plugins disable {plugin.name}"
    return PluginError("E105", message, cure=cure, plugin=plugin.name)


def _claims(mapped: Mapping[Hook, Mapping[str, Any]], listed: Mapping[Hook, list[Any]]) -> Iterator[tuple[str, str]]:
    """Every name that only one plugin may have, with what it is a name of."""
    for hook, things in mapped.items():
        for name in things:
            yield hook.noun, name
    for serializer in listed[SERIALIZERS]:
        yield "serializer", serializer.name
        yield "content type", serializer.content_type
    for compressor in listed[COMPRESSORS]:
        for name in {compressor.name, *compressor.aliases}:
            yield "compressor", name
        yield ENCODING, compressor.encoding


def _problem_of(thing: object, hook: Hook) -> str:
    """What is wrong with a serializer or compressor; empty when nothing is."""
    wanted: type = Serializer if hook is SERIALIZERS else Compressor
    if not isinstance(thing, wanted):
        return f"is no {wanted.__name__}"
    for attribute in ("name", "content_type" if wanted is Serializer else "encoding"):
        value = getattr(thing, attribute, None)
        if not isinstance(value, str) or not value:
            return f"has no {attribute}"
    return ""


def _may_share(claim: tuple[str, str], owner: LoadedPlugin, plugin: LoadedPlugin) -> bool:
    """Compressors of one distribution may write one format under two names, as zlib and gzip do (wire.md 14.2)."""
    return claim[0] == ENCODING and owner.dist == plugin.dist


def _is_usable(hook: Hook, thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Pool) if hook is POOLS else callable(thing)


def _through(shim: Callable[[Any], Any], given: Any) -> Any:
    if isinstance(given, Mapping):
        return {name: shim(thing) for name, thing in given.items()}
    return [shim(thing) for thing in given]
