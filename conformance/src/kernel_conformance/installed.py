"""The plugin under test, as it is installed: its entry point, its manifest, and what it provides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from kernel.contracts import CONTRACTS, Manifest
from kernel.contracts.manifest import ENTRY_POINT_GROUP
from kernel.errors import PluginError
from kernel.errors.near import did_you_mean
from kernel.runtime.plugins import Entry, check_options, discover

CONTRACT_OF = {
    "broker": "broker",
    "backend": "result_backend",
    "serializer": "serializer",
    "compression": "compressor",
    "router": "router",
}
"""Kind of a plugin → the contract it fulfils."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One plugin, imported.

    Attributes:
        entry: its entry point.
        plugin: the object behind it.
        manifest: what it says of itself.
    """

    entry: Entry
    plugin: Any
    manifest: Manifest

    @property
    def contract(self) -> str:
        """``broker/1.0``: the contract version it was written for."""
        contract = CONTRACT_OF[self.entry.kind]
        return f"{contract}/{self.manifest.contracts.get(contract, '?')}"

    def options(self, given: Mapping[str, object]) -> dict[str, object]:
        """The given options with the defaults of the others, checked as the kernel checks them (E106)."""
        return check_options(self.entry.name, self.manifest.options, given)

    def provided(self) -> Any:
        """What its one providing hook returns: factories by name, or a list of objects."""
        hook = {
            "broker": "kernel_brokers",
            "backend": "kernel_result_backends",
            "serializer": "kernel_serializers",
            "compression": "kernel_compressors",
            "router": "kernel_routers",
        }[self.entry.kind]
        return getattr(self.plugin, hook)()

    def factory(self, scheme: str) -> Callable[..., Any]:
        """The driver factory of a URL scheme.

        Raises:
            PluginError: E101 when it does not provide that scheme.
        """
        factories: Mapping[str, Callable[..., Any]] = self.provided()
        if scheme not in factories:
            raise PluginError(
                "E101",
                f"{self.entry.name!r} provides no scheme {scheme!r}.",
                cure=f"It has: {', '.join(sorted(factories))}.",
            )
        return factories[scheme]


def find_entry(name: str) -> Entry:
    """The installed plugin of that name, not imported.

    Raises:
        PluginError: E101 with the nearest names when there is none.
    """
    entries = {entry.name: entry for entry in discover()}
    if name not in entries:
        advice = did_you_mean(name, entries) or f"Installed are: {', '.join(sorted(entries))}."
        raise PluginError("E101", f"plugin {name!r} is not installed.", cure=advice, plugin=name)
    return entries[name]


def load_installed(name: str) -> Installed:
    """Import the plugin of that name.

    Raises:
        PluginError: E101 when it is not installed, E102 when it cannot be imported, E103 without a manifest.
    """
    entry = find_entry(name)
    try:
        plugin = EntryPoint(name, entry.value, ENTRY_POINT_GROUP).load()
        manifest = plugin.kernel_manifest()
    except Exception as error:
        raise PluginError("E102", f"{name!r} cannot be imported: {error!r}.", plugin=name) from error
    if not isinstance(manifest, Manifest):
        raise PluginError("E103", f"{name!r}: kernel_manifest() returned {manifest!r}, no Manifest.", plugin=name)
    return Installed(entry, plugin, manifest)


def contract_version(kind: str) -> str:
    """``broker/1.0``: the contract version this kernel speaks."""
    contract = CONTRACT_OF[kind]
    return f"{contract}/{CONTRACTS[contract]}"
