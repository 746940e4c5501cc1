"""Admitting an imported plugin: its manifest, its contract versions, its hooks (E103, E104)."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pluggy import PluginManager, PluginValidationError

from kernel.contracts.hookspecs import HookSpecs
from kernel.contracts.manifest import CONTRACTS, Manifest, Option
from kernel.errors import PluginError
from kernel.errors.near import did_you_mean
from kernel.runtime.plugin_failures import bad_hook, hook_error
from kernel.runtime.plugin_set import LoadedPlugin
from kernel.runtime.plugin_versions import in_range
from kernel.runtime.shims import Shim, find_shim

PROJECT = "kernel"
"""pluggy's name for the hooks of ``kernel.contracts.hookspecs``."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A registered plugin, and the shims that what it provides goes through, by contract kind."""

    plugin: LoadedPlugin
    shims: Mapping[str, Shim] = field(default_factory=dict)


class Registry:
    """The pluggy manager of one program.

    Args:
        kernel_version: what manifests' ``kernel`` ranges are compared with.
    """

    def __init__(self, kernel_version: str) -> None:
        self.manager = PluginManager(PROJECT)
        self.manager.add_hookspecs(HookSpecs)
        self._version = kernel_version

    def admit(self, plugin: LoadedPlugin, loaded: object) -> Admitted:
        """Check and register one plugin object; on failure it is as if it had never been seen.

        The manifest comes first: a plugin of a foreign contract version is told so (E104), and not that the hooks of
        that version are unknown (E103).

        Raises:
            PluginError: E103, E104 or E108.
        """
        try:
            manifest = self._manifest(plugin, loaded)
            known = LoadedPlugin(plugin.name, plugin.dist, plugin.version, dict(manifest.contracts))
            shims = find_shims(known, self._version)
            self._check_kernel(known, manifest.kernel)
            self._register(known, shims["hooks"](loaded) if "hooks" in shims else loaded)
        except PluginError:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise hook_error(plugin, "kernel_manifest", error) from error
        via = "shim" if shims else ""
        options = dict(manifest.options)
        return Admitted(LoadedPlugin(known.name, known.dist, known.version, known.contracts, via, options), shims)

    def call(self, plugin: LoadedPlugin, hook: str) -> Any:
        """What that plugin's implementation of an argument-free hook returns; None when it has none.

        Raises:
            PluginError: E103 when it fails, E108 when it exits.
        """
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin.name:
                return guarded(plugin, hook, implementation.function)
        return None

    def forget(self, plugin: LoadedPlugin) -> None:
        """Take back an admission."""
        self.manager.unregister(name=plugin.name)

    def _manifest(self, plugin: LoadedPlugin, loaded: object) -> Manifest:
        if inspect.isclass(loaded):
            cure = "For its author: let the entry point name an instance or a module."
            raise bad_hook(plugin, f"its entry point names the class {loaded.__name__}", cure)
        if self.manager.parse_hookimpl_opts(loaded, "kernel_manifest") is None:
            cure = "For its author: add a method kernel_manifest marked @hookimpl (kernel.contracts.hookspecs)."
            raise bad_hook(plugin, "it has no hook kernel_manifest", cure)
        manifest = guarded(plugin, "kernel_manifest", loaded.kernel_manifest)  # type: ignore[attr-defined] # just seen
        problem = _problem_of(manifest, plugin.name)
        if problem:
            raise bad_hook(plugin, f"kernel_manifest() {problem}")
        return manifest  # type: ignore[no-any-return] # _problem_of has checked it

    def _check_kernel(self, plugin: LoadedPlugin, wanted: str) -> None:
        try:
            fits = in_range(self._version, wanted)
        except ValueError as error:
            message = f"plugin {plugin.origin}: its manifest has kernel={wanted!r}, which cannot be read: {error}."
            raise PluginError("E104", message, cure=_update(plugin.dist), plugin=plugin.name) from error
        if not fits:
            message = f"plugin {plugin.origin} needs kernel {wanted}; this is kernel {self._version}."
            cure = f"Change one of them: pip install 'kernel{wanted}', or pip install --upgrade {plugin.dist}"
            raise PluginError("E104", message, cure=cure, plugin=plugin.name)

    def _register(self, plugin: LoadedPlugin, loaded: object) -> None:
        try:
            self.manager.register(loaded, plugin.name)
            self.manager.check_pending()
        except PluginValidationError as error:
            unknown = self._unknown_hooks(loaded)
            self._drop(plugin.name)
            if unknown:
                known = [name for name in dir(HookSpecs) if name.startswith("kernel_")]
                cure = did_you_mean(unknown, known) or f"This kernel has: {', '.join(known)}."
                raise bad_hook(plugin, f"unknown hook {unknown!r}", cure) from error
            raise bad_hook(plugin, " ".join(str(error).split())) from error
        except ValueError as error:  # the same object under two names
            raise bad_hook(plugin, " ".join(str(error).split())) from error

    def _unknown_hooks(self, loaded: object) -> str:
        callers = self.manager.get_hookcallers(loaded) or []
        return ", ".join(caller.name for caller in callers if not caller.has_spec())

    def _drop(self, name: str) -> None:
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)


def guarded(plugin: LoadedPlugin, hook: str, function: Any, *args: object) -> Any:
    """Call into a plugin; whatever it raises but KeyboardInterrupt becomes its PluginError."""
    try:
        return function(*args)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise hook_error(plugin, hook, error) from error


def find_shims(plugin: LoadedPlugin, kernel_version: str) -> dict[str, Shim]:
    """The shims this plugin's contracts need, by kind; empty when all are of the kernel's own major versions.

    Raises:
        PluginError: E104 for a contract that this kernel neither speaks nor can adapt.
    """
    shims: dict[str, Shim] = {}
    for kind, version in plugin.contracts.items():
        if kind not in CONTRACTS:
            cure = did_you_mean(kind, CONTRACTS) or f"This kernel has: {', '.join(CONTRACTS)}."
            raise _contract_error(plugin, f"names a contract {kind!r} {version}, which is none", cure)
        ours = _major(CONTRACTS[kind])
        theirs = _major(version)
        if theirs == ours:
            continue
        shim = find_shim(kind, theirs) if theirs == ours - 1 else None
        if shim is None:
            speaks = f"this kernel ({kernel_version}) speaks {kind} {CONTRACTS[kind]}"
            cure = _update("kernel" if theirs > ours else plugin.dist)
            raise _contract_error(plugin, f"is written for contract {kind} {version}; {speaks}", cure)
        shims[kind] = shim
    return shims


def _contract_error(plugin: LoadedPlugin, what: str, cure: str) -> PluginError:
    return PluginError("E104", f"plugin {plugin.origin} {what}.", cure=cure, plugin=plugin.name)


def _problem_of(manifest: object, name: str) -> str:
    """What is wrong with a manifest, as the end of a sentence; empty when nothing is."""
    if not isinstance(manifest, Manifest):
        return f"returned {type(manifest).__name__}, not Manifest"
    if manifest.name != name:
        return f"names {manifest.name!r}, but its entry point is {name!r}"
    if not isinstance(manifest.contracts, Mapping) or not manifest.contracts:
        return "declares no contracts"
    for kind, version in manifest.contracts.items():
        if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
            return f"has version {version!r} of contract {kind!r}, not one such as '1.0'"
    options = manifest.options
    if not isinstance(options, Mapping) or not all(isinstance(option, Option) for option in options.values()):
        return "has options that are not a mapping of names to Option"
    return "" if isinstance(manifest.kernel, str) else "has a version range 'kernel' that is no text"


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _update(dist: str) -> str:
    return f"Update the {'kernel' if dist == 'kernel' else 'plugin'}: pip install --upgrade {dist}"
