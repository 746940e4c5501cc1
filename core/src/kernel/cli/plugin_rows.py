"""Trying installed plugins, and showing what came of it."""

import os
import site
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import click

from kernel.errors import PluginError
from kernel.runtime.plugin_entries import take_inventory
from kernel.runtime.plugin_options import type_names
from kernel.runtime.plugin_selection import missing_error, parse_item
from kernel.runtime.plugins import Entry, LoadedPlugin, examine


@dataclass(frozen=True, slots=True)
class Row:
    """One installed plugin; ``error`` is why it cannot be used."""

    entry: Entry
    plugin: LoadedPlugin
    disabled: bool = False
    error: PluginError | None = None

    @property
    def status(self) -> str:
        """``ok``, ``disabled``, or the code of the error."""
        if self.disabled:
            return "disabled"
        return self.error.code if self.error else "ok"

    @property
    def contracts(self) -> str:
        """Contract versions in words, such as ``broker 1.0 via shim``."""
        versions = ", ".join(f"{kind} {version}" for kind, version in self.plugin.contracts.items())
        return f"{versions} via {self.plugin.via}" if self.plugin.via else versions or "-"

    def cells(self) -> tuple[str, ...]:
        """The row of a table with columns name, kind, distribution, version, contract, status."""
        entry = self.entry
        return entry.name, entry.kind, entry.dist, entry.version, self.contracts, self.status

    def as_json(self) -> dict[str, object]:
        """The same for programs, with the error's text."""
        return {
            "name": self.entry.name,
            "kind": self.entry.kind,
            "distribution": self.entry.dist,
            "version": self.entry.version,
            "contracts": dict(self.plugin.contracts),
            "via": self.plugin.via or None,
            "status": self.status,
            "error": self.error.one_line() if self.error else None,
        }

    def options(self) -> list[dict[str, object]]:
        """The options it takes; the default of a secret one is not shown."""
        return [
            {
                "option": name,
                "type": type_names(option),
                "default": "***" if option.secret and option.default is not None else option.default,
                "doc": option.doc,
            }
            for name, option in self.plugin.options.items()
        ]


def try_plugins(entries: Sequence[Entry], disabled: Sequence[str]) -> list[Row]:
    """Import these beside each other, except the disabled ones; nothing that a plugin does ends this."""
    items = [parse_item(word) for word in disabled]
    off = [entry for entry in entries if any(item.fits(entry) for item in items)]
    live = [entry for entry in entries if entry not in off]
    with redirect_stdout(sys.stderr):  # what a plugin prints while it is imported is not our output
        found = zip(live, examine(live), strict=True)
    rows = [Row(entry, entry.unloaded, disabled=True) for entry in off]
    rows += [Row(entry, plugin, error=error) for entry, (plugin, error) in found]
    return sorted(rows, key=lambda row: (row.entry.name, row.entry.dist))


def find_entries(names: Sequence[str]) -> tuple[list[Entry], list[PluginError]]:
    """The installed plugins of these names, and an error for each name that there is none of."""
    inventory = take_inventory()
    known = [entry.name for entry in inventory.plugins]
    entries: dict[Entry, None] = {}
    errors: list[PluginError] = []
    for name in names:
        try:
            item = parse_item(name, known)
        except PluginError as error:
            errors.append(error)
            continue
        fitting = [entry for entry in inventory.plugins if item.fits(entry)]
        if not fitting:
            errors.append(missing_error(item, inventory))
        entries.update(dict.fromkeys(fitting))
    return list(entries), errors


def print_options(rows: Sequence[Row]) -> None:
    """Below each plugin that takes options, one line for each."""
    for row in rows:
        options = row.options()
        if options:
            click.echo(f"\n{row.entry.name} takes:")
        for option in options:
            click.echo(f"  {option['option']} ({option['type']}, default {option['default']!r}): {option['doc']}")


def unsafe_places(entries: Sequence[Entry]) -> Iterator[str]:
    """Warnings to root of distributions whose code another user may own; one per distribution."""
    if os.geteuid() != 0:
        return
    for name, entry in {entry.dist: entry for entry in entries}.items():
        how = "an editable installation" if entry.editable else _user_site(entry)
        if how:
            yield f"root would run code of {name} from {how}, which another user may be able to change."


def _user_site(entry: Entry) -> str:
    in_user_site = site.ENABLE_USER_SITE and entry.place.startswith(site.getusersitepackages())
    return f"the user site {entry.place}" if in_user_site else ""
