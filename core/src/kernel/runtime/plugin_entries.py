"""Which plugins are installed, found without importing any of them.

Reads entry points with ``importlib.metadata`` at every call: the cache that stevedore keeps on disk may be stale, and
forgets the distribution. One unreadable distribution does not hide the others.
"""

import json
import re
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distributions, version

from kernel.contracts.manifest import ENTRY_POINT_GROUP, SCHEMES_GROUP
from kernel.runtime.plugin_set import Entry

UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that entry points say: the plugins, and the URL schemes they announce beside their names."""

    plugins: tuple[Entry, ...]
    schemes: tuple[Entry, ...]

    def named(self, name: str) -> list[Entry]:
        """The plugins of that name; more than one means that two distributions have it."""
        return [entry for entry in self.plugins if entry.name == name]

    def of_scheme(self, kind: str, scheme: str) -> list[Entry]:
        """The plugins a URL scheme implies: by their own name, else by an announced scheme."""
        name = f"{kind}.{scheme.lower()}"
        values = {(entry.dist, entry.value) for entry in self.schemes if entry.name.lower() == name}
        return self.named(name) or [
            entry for entry in self.plugins if entry.kind == kind and (entry.dist, entry.value) in values
        ]


def take_inventory() -> Inventory:
    """Read the entry points of every distribution on ``sys.path``; of two of one name the first shadows the other."""
    plugins: list[Entry] = []
    schemes: list[Entry] = []
    seen: set[str] = set()
    for dist in distributions():
        points = _points(dist)
        if not points:
            continue
        name, release = _identity(dist)
        if normalized(name) in seen:
            continue
        if name != UNKNOWN:
            seen.add(normalized(name))
        place, editable = str(dist.locate_file("")), _is_editable(dist)
        for point in points:
            group = plugins if point.group == ENTRY_POINT_GROUP else schemes
            group.append(Entry(point.name, name, release, point.value, place, editable))
    return Inventory(tuple(plugins), tuple(schemes))


def kernel_version() -> str:
    """The version of this program's own distribution; ``0`` when it runs without being installed."""
    try:
        return version("kernel")
    except PackageNotFoundError:
        return "0"


def normalized(name: str) -> str:
    """A distribution's name as package tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _points(dist: Distribution) -> list[EntryPoint]:
    """A distribution's entry points in our groups, equal ones once; none when they cannot be read."""
    try:
        text = dist.read_text("entry_points.txt")
        if not text or "[kernel." not in text:
            return []
        points = dist.entry_points
    except Exception:  # noqa: BLE001 - a distribution broken in any way must not break the others
        return []
    found = {(p.group, p.name, p.value): p for p in points if p.group in {ENTRY_POINT_GROUP, SCHEMES_GROUP}}
    return list(found.values())


def _identity(dist: Distribution) -> tuple[str, str]:
    try:
        return dist.metadata["Name"] or UNKNOWN, dist.version or UNKNOWN
    except Exception:  # noqa: BLE001 - metadata broken in any way
        return UNKNOWN, UNKNOWN


def _is_editable(dist: Distribution) -> bool:
    try:
        direct = json.loads(dist.read_text("direct_url.json") or "{}")
        return bool(direct.get("dir_info", {}).get("editable"))
    except (OSError, ValueError, AttributeError):
        return False
