"""The loader's run: select, import, admit, gather. Imported when the first plugin is wanted (see ``plugins``)."""

import logging
from collections.abc import Mapping, Sequence

from kernel.errors import PluginError
from kernel.runtime.plugin_admission import Registry
from kernel.runtime.plugin_entries import kernel_version, take_inventory
from kernel.runtime.plugin_hooks import call_hook
from kernel.runtime.plugin_loading import import_plugins
from kernel.runtime.plugin_providers import Providers
from kernel.runtime.plugin_selection import ALWAYS, Choice, Selection, duplicate_error
from kernel.runtime.plugin_set import Entry, LoadedPlugin, PluginSet, missing_scheme

log = logging.getLogger("kernel.plugins")


def boot(
    wanted: Sequence[str],
    schemes: Mapping[str, Sequence[str]],
    pools: Sequence[str],
    formats: Sequence[str],
    disabled: Sequence[str],
) -> PluginSet:
    """See :func:`kernel.runtime.plugins.load_plugins`; ``schemes`` is by kind, broker or backend."""
    selection = Selection(take_inventory(), disabled)
    selection.add_names((*ALWAYS, *wanted))
    for kind, names in schemes.items():
        for name in names:
            selection.add_scheme(kind, name)
    for name in pools:
        selection.add_pool(name)
    aliases = [name for name in formats if not selection.add_implied(name)]
    plugins = _load(selection.choices, selection.failed)
    _check_schemes(plugins, schemes)
    for name in aliases:
        if name not in _formats(plugins):
            raise selection.missing(name)
    _announce(plugins)
    return plugins


def examine(entries: Sequence[Entry]) -> list[tuple[LoadedPlugin, PluginError | None]]:
    """Try plugins beside each other, in the order given, whatever they do; what is known of each, and what is wrong."""
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry)
    errors = {name: duplicate_error(same) for name, same in by_name.items() if len(same) > 1}
    loading = _Loading([entry for entry in entries if entry.name not in errors])
    found: list[tuple[LoadedPlugin, PluginError | None]] = []
    for entry in entries:
        try:
            if entry.name in errors:
                raise errors[entry.name]
            found.append((loading.use(entry), None))
        except PluginError as error:
            found.append((entry.unloaded, error))
    return found


class _Loading:
    """Plugins that are imported, and become part of the program one by one."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._registry = Registry(kernel_version())
        self.providers = Providers(self._registry)
        self._objects, self._failures = import_plugins(entries)

    def use(self, entry: Entry) -> LoadedPlugin:
        """Admit one and take what it provides, or its error."""
        if entry.name in self._failures:
            raise self._failures[entry.name]
        admitted = self._registry.admit(entry.unloaded, self._objects[entry.name])
        try:
            self.providers.add(admitted)
        except PluginError:
            self._registry.forget(admitted.plugin)
            raise
        return admitted.plugin


def _load(choices: Sequence[Choice], failed: Sequence[PluginError]) -> PluginSet:
    loading = _Loading([choice.entry for choice in choices])
    failures = list(failed)
    for choice in choices:
        try:
            loading.use(choice.entry)
        except PluginError as error:
            if not choice.optional:
                raise
            failures.append(error)
    return loading.providers.freeze(failures)


def _announce(plugins: PluginSet) -> None:
    """Tell people and plugins which optional plugins are missing from the program."""
    for error in plugins.failed:
        log.warning("optional plugin left out: %s", error.one_line())
        call_hook(plugins, "kernel_plugin_failed", name=error.plugin, error=error)


def _formats(plugins: PluginSet) -> set[str]:
    """Every name of a serializer, compressor or router: ``serializer.name``, ``compression.name``, ``router.name``."""
    compressors = {name for each in plugins.compressors for name in (each.name, *each.aliases)}
    codecs = {f"serializer.{each.name}" for each in plugins.serializers} | {
        f"compression.{name}" for name in compressors
    }
    return codecs | {f"router.{name}" for name in plugins.routers}


def _check_schemes(plugins: PluginSet, schemes: Mapping[str, Sequence[str]]) -> None:
    known = {"broker": plugins.brokers, "backend": plugins.backends}
    for kind, names in schemes.items():
        for scheme in names:
            if scheme.lower() not in known[kind]:
                raise missing_scheme(kind, scheme, known[kind])
