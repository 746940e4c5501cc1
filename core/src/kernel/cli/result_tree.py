"""``kernel result --tree``: how far a workflow got."""

from typing import Any

from kernel.app.group_result import GroupResult

_DEEPEST = 100
"""Levels shown: what a task starts may in the end start itself, such as a retry."""


def tree_of(result: Any, depth: int = 0) -> dict[str, Any]:
    """A result with its state and, below it, what it started; ``of`` is the header whose results it was given."""
    if isinstance(result, GroupResult):
        members = [tree_of(member, depth + 1) for member in result.results] if depth < _DEEPEST else []
        return {"id": result.id, "group": members}
    meta = result.meta()
    shown: dict[str, Any] = {"id": result.id, "state": meta.status}
    if meta.name:
        shown["task"] = meta.name
    if isinstance(result.parent, GroupResult):
        shown["of"] = tree_of(result.parent, depth + 1)
    if depth < _DEEPEST:
        started = [child for child in result.children or () if child.id != result.id]
        below = [tree_of(child, depth + 1) for child in started]
        if below:
            shown["children"] = below
    return shown


def lines_of(tree: dict[str, Any], mark: str = "") -> list[str]:
    """The tree as text."""
    named = f" {tree['task']}" if "task" in tree else ""
    lines = [f"{mark}{tree.get('state', 'group'):8} {tree['id']}{named}"]
    for member in tree.get("group", ()):
        lines += ["  " + line for line in lines_of(member)]
    if "of" in tree:
        lines += ["  " + line for line in lines_of(tree["of"], "waits for ")]
    for child in tree.get("children", ()):
        lines += ["  " + line for line in lines_of(child, "then ")]
    return lines
