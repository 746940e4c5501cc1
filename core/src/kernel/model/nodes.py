"""Nodes of workflows: signatures of tasks, chains, groups and chords, on both sides of the wire (wire.md 3).

A *node* is the dict of a signature. A chain holds its steps and a group its members in ``kwargs["tasks"]``; a chord
holds a group in ``kwargs["header"]`` and any node in ``kwargs["body"]``.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from kernel.errors import InvalidTaskError
from kernel.model.signature import SignatureDict, read_signature

Node = SignatureDict

ACCUMULATE = "celery.accumulate"
"""The built-in task that returns what it is given; the body of a group that something waits for as a whole."""


class Kind(StrEnum):
    """What a node is."""

    TASK = "task"
    CHAIN = "chain"
    GROUP = "group"
    CHORD = "chord"


_KINDS: Mapping[str, Kind] = {
    **{kind.value: kind for kind in Kind},
    **{f"{space}.{kind.value}": kind for space in ("kernel", "celery") for kind in Kind if kind is not Kind.TASK},
}


def kind_of(node: Mapping[str, Any]) -> Kind:
    """What a node is: by its type, or the name of its task for clients that leave the type out.

    Raises:
        InvalidTaskError: for a type nobody knows.
    """
    named = node.get("subtask_type")
    if named is None:
        return _KINDS.get(node["task"], Kind.TASK)
    try:
        return _KINDS[named]
    except KeyError:
        raise InvalidTaskError(f"Signature {node['task']} is of the unknown type {named!r:.80}") from None


def read_node(value: object) -> Node:
    """A decoded signature with everything below it checked; a copy, which may be changed.

    Raises:
        InvalidTaskError: when any part cannot be understood.
    """
    node = read_signature(value)
    match kind_of(node):
        case Kind.CHAIN | Kind.GROUP:
            node["kwargs"]["tasks"] = [read_node(each) for each in _list(node, node["kwargs"].get("tasks"))]
        case Kind.CHORD:
            header, body = node["kwargs"].get("header"), node["kwargs"].get("body")
            if not isinstance(header, Mapping):
                header = group_node(_list(node, header))
            if body is None:
                raise InvalidTaskError("A chord needs a body: the signature that gets the results of its header")
            node["kwargs"] = {**node["kwargs"], "header": read_node(header), "body": read_node(body)}
        case Kind.TASK:
            pass
    return node


def _list(node: Node, value: object) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise InvalidTaskError(f"The tasks of {node['task']} must be a list, not {type(value).__name__}")
    return value


def task_node(task: str, kwargs: Mapping[str, Any] | None = None) -> Node:
    """A task's node."""
    return Node(task=task, args=(), kwargs=dict(kwargs or {}), options={}, subtask_type=None, immutable=False)


def group_node(tasks: Sequence[Any]) -> Node:
    """A group's node."""
    return {**task_node("celery.group", {"tasks": list(tasks)}), "subtask_type": "group"}


def chord_node(header: Node, body: Node) -> Node:
    """A chord's node."""
    return {**task_node("celery.chord", {"header": header, "body": body, "kwargs": {}}), "subtask_type": "chord"}


def with_options(node: Node, options: Mapping[str, Any]) -> Node:
    """The node with further options, which win."""
    return {**node, "options": {**node["options"], **options}} if options else node


def with_partial_of(outer: Node, node: Node) -> Node:
    """The node with the outer one's partial arguments before its own."""
    return node if node["immutable"] or not outer["args"] else {**node, "args": (*outer["args"], *node["args"])}


def as_list(value: Any) -> list[Any]:
    """Signatures as options carry them: none, one, or several."""
    if not value:
        return []
    return [value] if isinstance(value, Mapping) else list(value)
