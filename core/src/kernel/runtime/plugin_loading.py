"""Importing chosen plugins."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

from stevedore.named import NamedExtensionManager

from kernel.contracts.manifest import ENTRY_POINT_GROUP
from kernel.errors import PluginError
from kernel.runtime.plugin_failures import import_error
from kernel.runtime.plugin_set import Entry


class PluginLoader(NamedExtensionManager):  # type: ignore[type-arg] # the oldest stevedore we accept has no parameter
    """Imports exactly the given entries.

    What is imported was decided before (:mod:`kernel.runtime.plugin_selection`), duplicates included, so names are
    unique here. A failure of any kind but KeyboardInterrupt is kept as the plugin's error.

    Attributes:
        failures: name → why it could not be imported.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self.failures: dict[str, PluginError] = {}
        super().__init__(
            ENTRY_POINT_GROUP,
            names=list(self._entries),
            name_order=True,
            on_load_failure_callback=self._note_failure,
            on_missing_entrypoints_callback=None,
        )

    def list_entry_points(self) -> list[EntryPoint]:
        """The chosen ones, whose distribution is known, instead of what a cache on disk remembers."""
        return [EntryPoint(entry.name, entry.value, ENTRY_POINT_GROUP) for entry in self._entries.values()]

    def _load_one_plugin(self, ep: EntryPoint, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._load_one_plugin(ep, *args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            entry = self._entries[ep.name]
            raise import_error(entry.unloaded, entry.value, error) from error

    def _note_failure(self, _manager: Any, point: EntryPoint, error: BaseException) -> None:
        if not isinstance(error, PluginError):
            raise error
        self.failures[point.name] = error


def import_plugins(entries: Sequence[Entry]) -> tuple[dict[str, object], dict[str, PluginError]]:
    """Import these plugins: name → plugin object, and name → error for those that failed."""
    loader = PluginLoader(entries)
    return {extension.name: extension.plugin for extension in loader}, loader.failures
