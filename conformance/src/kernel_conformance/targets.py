"""From a name on the command line to a harness: an installed plugin, or one of our saboteurs."""

from dataclasses import dataclass

from kernel.errors import PluginError
from kernel_conformance import saboteurs
from kernel_conformance.announced import harnesses
from kernel_conformance.builtin_formats import FORMATS
from kernel_conformance.builtin_harnesses import BUILTIN, PLAIN
from kernel_conformance.harness import Harness
from kernel_conformance.installed import Installed, find_entry, load_installed
from kernel_conformance.outcome import NotRun
from kernel_conformance.registry import KINDS


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a plugin without importing it."""

    name: str
    kind: str
    dist: str
    version: str


def facts_of(name: str) -> Facts:
    """Facts for the report.

    Raises:
        PluginError: E101 when it is not installed, or of a kind without a suite.
    """
    if saboteurs.is_saboteur(name):
        return Facts(name, saboteurs.find(name).kind, "kernel-conformance", "-")
    entry = find_entry(name)
    if entry.kind not in KINDS:
        raise PluginError(
            "E101", f"there is no suite for plugins of kind {entry.kind!r}.", cure=f"There are: {', '.join(KINDS)}."
        )
    return Facts(name, entry.kind, entry.dist, entry.version)


def harness_of(name: str) -> Harness:
    """The harness of a plugin, bound to it and not started.

    Raises:
        PluginError: the plugin cannot be loaded.
        NotRun: it has no harness, or its harness cannot be made.
    """
    if saboteurs.is_saboteur(name):
        return saboteurs.find(name).harness()
    installed = load_installed(name)
    harness = _make(name, installed)
    harness.bind(installed)
    return harness


def _make(name: str, installed: Installed) -> Harness:
    for announced in harnesses():
        if announced.name == name:
            try:
                made = announced.entry_point.load()()
            except Exception as error:
                raise NotRun(f"the harness of {name!r} ({announced.dist}) cannot be made: {error!r}") from error
            if not isinstance(made, Harness):
                raise NotRun(f"the harness of {name!r} ({announced.dist}) is a {type(made).__name__}, no Harness")
            return made
    factory = BUILTIN.get(name) or FORMATS.get(name) or PLAIN.get(installed.entry.kind)
    if factory is None:
        raise NotRun(f"{name!r} announces no harness: add an entry point of group 'kernel.conformance' with its name")
    return factory()
