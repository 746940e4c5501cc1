"""Which installed plugins are wanted: by name, by URL, by pool; and which are disabled (contracts.md, "Selection")."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernel.errors import PluginError
from kernel.errors.near import did_you_mean, near_names
from kernel.runtime.plugin_entries import Inventory, normalized
from kernel.runtime.plugin_set import Entry

ALWAYS = (
    "serializer.json",
    "compression.zlib",
    "compression.gzip",
    "compression.bzip2",
    "compression.lzma",
    "router.config",
)
"""Part of every program unless disabled: what any other kernel on the same broker may have sent."""

AUTO = "auto"
_ITEM = re.compile(r"(?:(?P<dist>[^\s:?]+):)?(?P<name>[^\s:?.]+\.[^\s:?]+)(?P<optional>\?)?")


@dataclass(frozen=True, slots=True)
class Item:
    """One parsed word of ``plugins``: ``[distribution:]kind.name[?]``."""

    name: str
    dist: str = ""
    optional: bool = False

    def fits(self, entry: Entry) -> bool:
        """Whether this word means that plugin."""
        return entry.name == self.name and (not self.dist or normalized(self.dist) == normalized(entry.dist))


@dataclass(frozen=True, slots=True)
class Choice:
    """A plugin to load, and whether the program can do without it."""

    entry: Entry
    optional: bool = False


def parse_item(text: str, known: Iterable[str] = ()) -> Item:
    """Read one word.

    Raises:
        PluginError: E101 for a word of another form; ``known`` names are offered.
    """
    match = _ITEM.fullmatch(text.strip())
    if match:
        return Item(match["name"], match["dist"] or "", bool(match["optional"]))
    word = text.strip().rstrip("?")
    known = list(known)
    same = [repr(name) for name in known if name.partition(".")[2] == word]
    advice = f"Did you mean {' or '.join(same)}?" if same else did_you_mean(word, known)
    message = f"{text!r} is not a plugin name of the form <kind>.<name>, such as 'broker.sqs'."
    raise PluginError("E101", message, cure=advice or "See: kernel plugins list", plugin=word)


class Selection:
    """Collects choices from an inventory; nothing is imported.

    Args:
        inventory: what is installed.
        disabled: names never to load, optionally as ``distribution:name``.

    Raises:
        PluginError: E101 for a disabled word that is no plugin name. A name that is not installed is no error there.
    """

    def __init__(self, inventory: Inventory, disabled: Sequence[str] = ()) -> None:
        self._all = inventory
        self._names = sorted({entry.name for entry in inventory.plugins})
        self._disabled = [parse_item(word, self._names) for word in disabled]
        self._live = Inventory(tuple(e for e in inventory.plugins if not self._is_disabled(e)), inventory.schemes)
        self._chosen: dict[Entry, bool] = {}
        self._told: list[Item] = []  # where a name occurs twice, these say which
        self.failed: list[PluginError] = []
        """Why optional plugins cannot even be tried."""

    @property
    def choices(self) -> list[Choice]:
        """What to load: first what is required, then what is optional, each in the order it was asked for."""
        ordered = sorted(self._chosen.items(), key=lambda pair: pair[1])
        return [Choice(entry, optional) for entry, optional in ordered]

    def add_names(self, words: Sequence[str]) -> None:
        """Choose by name; ``auto`` is everything installed. Disabled ones are left out.

        Raises:
            PluginError: E101 when it is not installed, E105 when two distributions have it; unless it is optional.
        """
        items = [parse_item(word, self._names) for word in words if word != AUTO]
        if AUTO in words:
            items += [Item(entry.name) for entry in self._live.plugins]
        self._told += [item for item in items if item.dist]
        for item in items:
            try:
                self._add(item)
            except PluginError as error:
                if not item.optional:
                    raise
                self.failed.append(error)

    def add_scheme(self, kind: str, scheme: str) -> None:
        """Choose the plugin that a URL implies; none is no error here, a named plugin may provide the scheme.

        Raises:
            PluginError: E101 when that plugin is disabled, E105 when two distributions have it.
        """
        entries = self._live.of_scheme(kind, scheme)
        if entries:
            self._choose(self._single(entries), optional=False)
            return
        disabled = self._all.of_scheme(kind, scheme)
        if disabled:
            raise disabled_error(disabled[0], f"{scheme}:// needs it")

    def add_implied(self, name: str) -> bool:
        """Choose the plugin of a serializer, compressor or router that a setting names; whether there is one.

        None is no error here: it may be another name of something else, as ``xz`` is of lzma.

        Raises:
            PluginError: E101 when it is disabled, E105 when two distributions have it.
        """
        item = Item(name)
        entries = self._live.named(item.name)
        if entries:
            self._choose(self._single(entries), optional=False)
        elif disabled := self._all.named(item.name):
            raise disabled_error(disabled[0], f"a setting names {name.partition('.')[2]!r}")
        return bool(entries)

    def missing(self, name: str) -> PluginError:
        """E101 for a plugin that is not installed."""
        return missing_error(Item(name), self._all)

    def add_pool(self, name: str) -> None:
        """Choose the plugin of a pool.

        Raises:
            PluginError: E101 when it is not installed or disabled, E105 when two distributions have it.
        """
        item = Item(f"pool.{name}")
        disabled = [entry for entry in self._all.named(item.name) if self._is_disabled(entry)]
        if disabled and not self._live.named(item.name):
            raise disabled_error(disabled[0], f"pool {name!r} needs it")
        self._add(item)

    def _add(self, item: Item) -> None:
        entries = [entry for entry in self._live.plugins if item.fits(entry)]
        if entries:
            self._choose(self._single(entries), item.optional)
        elif not any(item.fits(entry) for entry in self._all.plugins):
            raise missing_error(item, self._all)

    def _single(self, entries: list[Entry]) -> Entry:
        told = [entry for entry in entries if any(item.fits(entry) for item in self._told)]
        for candidates in (entries, told):
            if len(candidates) == 1:
                return candidates[0]
        raise duplicate_error(entries)

    def _choose(self, entry: Entry, optional: bool) -> None:
        rivals = [other for other in self._chosen if other.name == entry.name and other != entry]
        if rivals:
            raise duplicate_error([*rivals, entry])
        self._chosen[entry] = self._chosen.get(entry, True) and optional

    def _is_disabled(self, entry: Entry) -> bool:
        return any(item.fits(entry) for item in self._disabled)


def missing_error(item: Item, inventory: Inventory) -> PluginError:
    """E101: not installed, with the nearest names and the command that would install it."""
    of = f" from distribution {item.dist!r}" if item.dist else ""
    others = inventory.named(item.name)
    if others:
        advice = f"Installed is: {', '.join(repr(entry.qualified) for entry in others)}."
    else:
        names = near_names(item.name, (entry.name for entry in inventory.plugins))
        advice = did_you_mean(item.name, names)
    own = "--force-reinstall kernel" if item.name in ALWAYS else ""
    package = item.dist or own or "plugin-" + item.name.replace(".", "-").replace("_", "-")
    install = f"{'Otherwise install' if advice else 'Install'} it: pip install {package}"
    cure = f"{advice} {install}".strip()
    return PluginError("E101", f"plugin {item.name!r}{of} is not installed.", cure=cure, plugin=item.name)


def disabled_error(entry: Entry, why: str) -> PluginError:
    """E101: installed and needed, but disabled."""
    cure = f"Enable it: kernel plugins enable {entry.name} (or take it out of KERNEL_DISABLE_PLUGINS)."
    return PluginError("E101", f"plugin {entry.name!r} is disabled, but {why}.", cure=cure, plugin=entry.name)


def duplicate_error(entries: Sequence[Entry]) -> PluginError:
    """E105: one name in several distributions; tells how to say which is meant."""
    name = entries[0].name
    dists = " and ".join(f"{entry.dist} {entry.version}" for entry in entries)
    words = " or ".join(repr(entry.qualified) for entry in entries)
    cure = f"Say which: {words} in 'plugins', or uninstall one."
    return PluginError("E105", f"plugin {name!r} is provided by {dists}.", cure=cure, plugin=name)
