"""What somebody who is to help needs to know: versions, platform, installed plugins, settings."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from kernel.runtime.plugins import discover

LIBRARIES = ("pluggy", "stevedore", "click")


def report_facts(settings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Facts by title; ``settings`` are those to show, secrets masked."""
    return {
        "software": {
            "kernel": version("kernel"),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": platform.platform(),
            **{library: version(library) for library in LIBRARIES},
        },
        "plugins": {entry.name: f"{entry.dist} {entry.version}" for entry in discover()},
        "settings": settings,
    }


def report_text(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """The same as lines of text."""
    lines: list[str] = []
    for title, values in facts.items():
        lines.append(title)
        lines += [f"  {name}: {value if title != 'settings' else repr(value)}" for name, value in values.items()]
        if not values:
            lines.append("  (all defaults)" if title == "settings" else "  (none)")
    return "\n".join(lines)
