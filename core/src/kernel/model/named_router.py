"""How ``task_routes`` names a router of a plugin: a mapping ``{"router": name, ...its rules}``."""

from collections.abc import Mapping

ROUTER = "router"
"""The key that names it; the other keys are its rules. A task of that very name is routed by a pair in a list."""


def named_router(entry: object) -> str | None:
    """The name in such a mapping; None for any other entry."""
    name = entry.get(ROUTER) if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else None


def router_rules(entry: Mapping[str, object]) -> dict[str, object]:
    """What such a mapping says beside the name."""
    return {key: value for key, value in entry.items() if key != ROUTER}
