"""A workflow as a picture: boxes and arrows, read off the expression (features.md 2.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kernel.model.nodes import Kind, as_list, kind_of


class Arrow(StrEnum):
    """Why one task comes after another."""

    NEXT = "next"
    CALLBACK = "callback"
    ERRBACK = "errback"


@dataclass(slots=True)
class Diagram:
    """Tasks by number, and the arrows between them: (from, to, why).

    Attributes:
        labels: what is written into each box.
        arrows: in the order of the expression.
    """

    labels: list[str] = field(default_factory=list)
    arrows: list[tuple[int, int, Arrow]] = field(default_factory=list)

    def add(self, node: Mapping[str, Any], before: Sequence[int] = ()) -> list[int]:
        """Draw a node after those boxes; the boxes it ends with."""
        parts = node["kwargs"]
        match kind_of(node):
            case Kind.CHAIN:
                ends = list(before)
                for step in parts["tasks"]:
                    ends = self.add(step, ends)
            case Kind.GROUP:
                ends = [end for member in parts["tasks"] for end in self.add(member, before)] or list(before)
            case Kind.CHORD:
                header = self.add(parts["header"], before)
                ends = self.add(parts["body"], header) if parts["body"] is not None else header
            case Kind.TASK:
                ends = [self._box(node, before)]
        self._linked(node, ends)
        return ends

    def layers(self) -> list[list[int]]:
        """The boxes from left to right: each right of all that it comes after."""
        depth = [0] * len(self.labels)
        for source, target, _ in sorted(self.arrows, key=lambda arrow: arrow[1]):  # arrows lead to later numbers
            depth[target] = max(depth[target], depth[source] + 1)
        return [[box for box, at in enumerate(depth) if at == layer] for layer in range(max(depth, default=-1) + 1)]

    def _box(self, node: Mapping[str, Any], before: Sequence[int]) -> int:
        arguments = [repr(each) for each in node["args"]]
        arguments += [f"{key}={value!r}" for key, value in node["kwargs"].items()]
        self.labels.append(_short(f"{node['task']}({', '.join(arguments)})"))
        number = len(self.labels) - 1
        self.arrows += [(each, number, Arrow.NEXT) for each in before]
        return number

    def _linked(self, node: Mapping[str, Any], ends: Sequence[int]) -> None:
        for option, why in (("link", Arrow.CALLBACK), ("link_error", Arrow.ERRBACK)):
            for linked in as_list(node["options"].get(option)):
                first = len(self.labels)
                self.add(linked)
                self.arrows += [(end, first, why) for end in ends]


def draw(expression: Mapping[str, Any]) -> Diagram:
    """The diagram of a signature."""
    diagram = Diagram()
    diagram.add(expression)
    return diagram


_LONGEST = 60


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
