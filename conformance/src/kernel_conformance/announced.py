"""Which plugins announce a harness: the door through which the suites reach them (contracts.md, "Entry points")."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from typing import Final

GROUP: Final = "kernel.conformance"
"""The entry point group; a name is that of the plugin, for example ``broker.sqs``."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One harness factory that an installed distribution announces; importing it is the suite's business."""

    name: str
    dist: str
    version: str
    entry_point: EntryPoint


def harnesses() -> list[Announced]:
    """Every announced harness, ordered by plugin name and distribution; nothing is imported."""
    found = [
        Announced(entry_point.name, dist.name, dist.version, entry_point)
        for dist in distributions()
        for entry_point in dist.entry_points
        if entry_point.group == GROUP
    ]
    return sorted(found, key=lambda announced: (announced.name, announced.dist))
