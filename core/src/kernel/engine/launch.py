"""Starting a workflow: the calls to publish now, and the joins that wait for them (features.md 2.1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from kernel.model.call import Call
from kernel.model.canvas import Expected, result_form
from kernel.model.nodes import Kind, Node, as_list, kind_of, read_node, with_options, with_partial_of
from kernel.model.signature import with_partial
from kernel.model.tail import Tail, attach, outer_options, read_tail, tasks_of

Make = Callable[[Node], Call]
"""Makes the call of one task."""

_HEADER_ONLY = ("countdown", "eta")
"""Options of a chord that its header alone takes: when it begins (features.md 2.1)."""


class Launch:
    """Collects what starting nodes implies. Nodes are frozen: every task in them has its id.

    Args:
        make: makes the call of one task.
    """

    def __init__(self, make: Make) -> None:
        self.calls: list[Call] = []
        self.joins: list[Expected] = []
        self._make = make

    def start(self, node: Node, args: Sequence[Any] = ()) -> None:
        """Start a node; ``args`` go before its own arguments unless it is immutable."""
        match kind_of(node):
            case Kind.TASK:
                self.calls.append(self._make(with_partial(node, args)))
            case Kind.CHAIN:
                self._chain(node, args)
            case Kind.GROUP:
                self._group(node, args)
            case Kind.CHORD:
                self._chord(node, args)

    def _chain(self, node: Node, args: Sequence[Any]) -> None:
        """The first step starts, and carries the others."""
        tail = read_tail(node["options"])
        steps = [*tasks_of(node), *map(read_node, tail.chain)]
        if not steps:
            return
        steps = [attach(step, Tail(errors=tail.errors)) for step in steps]
        steps[-1] = attach(steps[-1], replace(tail, chain=(), errors=()))
        first = attach(steps[0], Tail(chain=tuple(steps[1:])))
        first = with_options(with_partial_of(node, first), outer_options(node))
        self.start(first, () if node["immutable"] else args)

    def _group(self, node: Node, args: Sequence[Any]) -> None:
        """Every member starts, and knows its place."""
        tail = read_tail(node["options"])
        spread = (
            tail.chord is not None and "chord_size" not in tail.chord
        )  # by a client that counts such members itself
        if tail.chain or (tail.chord is not None and not spread):
            kept = {key: value for key, value in node["options"].items() if key not in {"chain", "chord"}}
            self.start(attach({**node, "options": kept}, replace(tail, links=(), errors=())), args)
            return
        for place, member in enumerate(self._members(node)):
            here = Tail((), tail.links, tail.errors, None, None if spread else node["options"].get("task_id"), place)
            self.start(attach(member, here), () if node["immutable"] else args)

    def _chord(self, node: Node, args: Sequence[Any]) -> None:
        """Every member of the header starts and carries the body; without any the body starts now, with nothing."""
        options, header, body = outer_options(node), node["kwargs"]["header"], node["kwargs"]["body"]
        body = with_options(body, {k: v for k, v in options.items() if k not in _HEADER_ONLY})
        body = attach(body, read_tail(node["options"]))
        header = with_options(header, options)
        members = self._members(header)
        if not members:
            self.start(body, ([],))
            return
        key, size = header["options"]["task_id"], len(members)
        body = Node(**{**body, "chord_size": size})
        each = read_tail(header["options"])
        self.joins.append(Expected(key, size, body, tuple(result_form(member) for member in members)))
        for place, member in enumerate(members):
            tail = Tail((), each.links, each.errors, body, key, place)
            self.start(attach(with_partial_of(node, member), tail), () if node["immutable"] else args)

    def _members(self, group: Node) -> list[Node]:
        options = outer_options(group)
        return [with_partial_of(group, with_options(member, options)) for member in tasks_of(group)]


def call_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a task's node as a call has them: stamps are collected, and what is None is left out."""
    options = {key: value for key, value in given.items() if value is not None}
    stamped = as_list(options.get("stamped_headers"))
    if stamped:
        own = {name: options.pop(name) for name in stamped if name in options}
        options["stamps"] = {**cast(Mapping[str, Any], options.get("stamps") or {}), **own}
    return options
