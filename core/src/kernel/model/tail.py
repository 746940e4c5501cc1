"""What comes after a node of a workflow.

A tail is always attached to the tasks at the node's end, so that a message says everything about what follows it, in a
size that grows with the number of nodes and not faster (pains P10).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from kernel.model.nodes import (
    ACCUMULATE,
    Kind,
    Node,
    as_list,
    chord_node,
    kind_of,
    read_node,
    task_node,
    with_options,
    with_partial_of,
)


@dataclass(frozen=True, slots=True)
class Tail:
    """What comes after a node.

    Attributes:
        chain: further steps, in order.
        links: callbacks at the end.
        errors: errbacks at the end.
        chord: the body that waits for the node's result as one of ``group_id``, in place ``group_index``.
    """

    chain: tuple[Any, ...] = ()
    links: tuple[Any, ...] = ()
    errors: tuple[Any, ...] = ()
    chord: Mapping[str, Any] | None = None
    group_id: str | None = None
    group_index: int | None = None

    def __bool__(self) -> bool:
        return bool(self.chain or self.links or self.errors or self.chord or self.group_id)


_TAIL = ("link", "link_error", "chain", "chord", "group_id", "group_index")
_PLACE = ("task_id",)


def _without(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in names}


def read_tail(options: Mapping[str, Any]) -> Tail:
    """The tail that a node's own options speak of; ``chain`` is stored in reverse there (wire.md 1.3)."""
    return Tail(
        tuple(reversed(as_list(options.get("chain")))),
        tuple(as_list(options.get("link"))),
        tuple(as_list(options.get("link_error"))),
        options.get("chord"),
        options.get("group_id"),
        options.get("group_index"),
    )


def outer_options(node: Node) -> dict[str, Any]:
    """The options of a chain, group or chord that are neither its tail nor its id: how its parts are sent."""
    return {k: v for k, v in node["options"].items() if k not in _TAIL and k not in _PLACE and v is not None}


def attach(node: Node, tail: Tail) -> Node:
    """The node with a tail after it. A group that something waits for becomes a chord (features.md 2.1)."""
    if not tail:
        return node
    match kind_of(node):
        case Kind.CHAIN:
            return _attach_chain(node, tail)
        case Kind.CHORD:
            kwargs = node["kwargs"]
            return {**node, "kwargs": {**kwargs, "body": attach(read_node(kwargs["body"]), tail)}}
        case Kind.GROUP if tail.chain or tail.chord is not None:
            return _upgrade(node, tail)
        case Kind.GROUP:
            members = replace(tail, group_id=None, group_index=None)
            tasks = [attach(member, members) for member in node["kwargs"]["tasks"]]
            return {**node, "kwargs": {"tasks": tasks}}
        case Kind.TASK:
            return _attach_task(node, tail)


def _attach_chain(node: Node, tail: Tail) -> Node:
    """What the chain says of itself comes first: its errbacks stand at every step, its callbacks at the last one."""
    own = Tail(
        links=tuple(as_list(node["options"].get("link"))), errors=tuple(as_list(node["options"].get("link_error")))
    )
    steps = _ended(list(node["kwargs"]["tasks"]), own)
    steps = _ended([*steps, *map(read_node, tail.chain)] if steps else [], replace(tail, chain=()))
    options = _without(node["options"], ("link", "link_error"))
    return {**node, "kwargs": {"tasks": steps}, "options": options}


def _ended(steps: list[Node], tail: Tail) -> list[Node]:
    if not steps or not tail:
        return steps
    before = Tail(errors=tail.errors)
    return [*(attach(step, before) for step in steps[:-1]), attach(steps[-1], tail)]


def _upgrade(group: Node, tail: Tail) -> Node:
    if tail.chain:
        body, tail = read_node(tail.chain[0]), replace(tail, chain=tail.chain[1:])
    else:
        body = task_node(ACCUMULATE, {"index": 0})
        if group["options"].get("task_id"):  # ids were given already: this one follows from the group's
            body["options"]["task_id"] = str(uuid5(NAMESPACE_OID, f"{group['options']['task_id']} accumulated"))
        body["options"].update(_queue_of(group))  # where its members go somebody consumes
    moved = {key: group["options"][key] for key in _TAIL[:2] if group["options"].get(key)}  # of each member, still
    header = attach(group, read_tail(moved))
    options = {key: value for key, value in group["options"].items() if key not in _TAIL}
    chord = chord_node(
        {**header, "options": {**options, "task_id": group["options"].get("task_id")}}, attach(body, tail)
    )
    return with_options(chord, outer_options(group))


def _queue_of(node: Node) -> dict[str, Any]:
    """The queue that the first task at the node's end is to go to, if it says so."""
    match kind_of(node):
        case Kind.CHAIN | Kind.GROUP:
            parts = node["kwargs"]["tasks"]
            place = -1 if kind_of(node) is Kind.CHAIN else 0
            return _queue_of(parts[place]) if parts else {}
        case Kind.CHORD:
            return _queue_of(node["kwargs"]["body"])
        case Kind.TASK:
            return {"queue": node["options"]["queue"]} if node["options"].get("queue") else {}


def _attach_task(node: Node, tail: Tail) -> Node:
    options = dict(node["options"])
    if options.get("chain"):
        last, *others = options["chain"]
        options["chain"] = [attach(read_node(last), tail), *others]
        return {**node, "options": options}
    if tail.chain:
        *between, last = map(read_node, tail.chain)
        options["chain"] = [attach(last, replace(tail, chain=())), *reversed(between)]
        return {**node, "options": options}
    for key, more in (("link", tail.links), ("link_error", tail.errors)):
        if more:
            options[key] = [
                *as_list(options.get(key)),
                *(each for each in more if each not in as_list(options.get(key))),
            ]
    if tail.chord is not None:
        options["chord"] = tail.chord
    if tail.group_id is not None:
        options["group_id"], options["group_index"] = tail.group_id, tail.group_index
    return {**node, "options": options}


def tasks_of(node: Node) -> list[Node]:
    """The steps of a chain, or the members of a group: groups directly inside it are part of it."""
    tasks: list[Node] = node["kwargs"]["tasks"]
    return tasks if kind_of(node) is Kind.CHAIN else list(_flat(node))


def _flat(group: Node) -> Iterator[Node]:
    for member in group["kwargs"]["tasks"]:
        kind = kind_of(member)
        if kind is Kind.GROUP:
            yield from (_under(member, each) for each in _flat(member))
        elif not (kind is Kind.CHAIN and not member["kwargs"]["tasks"]):
            yield member


def _under(group: Node, member: Node) -> Node:
    """A member of a group inside another, with what its own group says of all."""
    outer = {key: value for key, value in group["options"].items() if key not in _PLACE}
    if not outer and not group["args"]:
        return member
    return attach(with_partial_of(group, with_options(member, _without(outer, _TAIL))), read_tail(outer))
