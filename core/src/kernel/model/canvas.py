"""Whole workflows: their ids and their results (features.md 2.1; wire.md 3)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from kernel.model.nodes import Kind, Node, as_list, kind_of, read_node
from kernel.model.tail import tasks_of

NewId = Callable[[], str]
ResultForm = list[Any]
"""A result as it travels: ``[[id, parent], None]``, or the forms of its members for a group (wire.md 3)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A chord whose members are about to be sent.

    Attributes:
        key: name of the join: the id of the header.
        size: how many members there are.
        body: the frozen node of what follows.
        results: the members' results as they travel, for those who look at results instead of joining.
    """

    key: str
    size: int
    body: Node
    results: tuple[ResultForm, ...]


def freeze(node: Node, new_id: NewId, task_id: str | None = None) -> None:
    """Give the node and everything below it their ids, in place; those that have one keep it."""
    options = node["options"]
    match kind_of(node):
        case Kind.CHAIN:
            *steps, last = node["kwargs"]["tasks"] or [None]
            for step in steps:
                freeze(step, new_id)
            if last is not None:
                freeze(last, new_id, options.get("task_id") or task_id)
        case Kind.GROUP:
            options["task_id"] = options.get("task_id") or task_id or new_id()
            for member in node["kwargs"]["tasks"]:
                freeze(member, new_id)
        case Kind.CHORD:
            freeze(node["kwargs"]["header"], new_id)
            freeze(node["kwargs"]["body"], new_id, options.get("task_id") or task_id)
        case Kind.TASK:
            options["task_id"] = options.get("task_id") or task_id or new_id()


def tasks_below(node: Node) -> Iterator[Node]:
    """Every task in a node, with what its own options say comes after it."""
    match kind_of(node):
        case Kind.CHAIN | Kind.GROUP:
            for each in node["kwargs"]["tasks"]:
                yield from tasks_below(each)
        case Kind.CHORD:
            yield from tasks_below(node["kwargs"]["header"])
            yield from tasks_below(node["kwargs"]["body"])
        case Kind.TASK:
            yield node
            for step in reversed(as_list(node["options"].get("chain"))):
                yield from tasks_below(read_node(step))


def result_form(node: Node, parent: ResultForm | None = None) -> ResultForm:
    """The result that a frozen node will have, as it travels."""
    match kind_of(node):
        case Kind.CHAIN:
            for step in node["kwargs"]["tasks"]:
                parent = result_form(step, parent)
            return cast(ResultForm, parent)
        case Kind.GROUP:
            return [[node["options"]["task_id"], parent], [result_form(each) for each in tasks_of(node)]]
        case Kind.CHORD:
            return result_form(node["kwargs"]["body"], result_form(node["kwargs"]["header"], parent))
        case Kind.TASK:
            return [[node["options"]["task_id"], parent], None]
