"""The results of a workflow as a graph (features.md 1.3, 2.1)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kernel.errors import IncompleteStream


class DependencyGraph:
    """Nodes, each with those that depend on it, in the order in which they were added."""

    def __init__(self) -> None:
        self._after: dict[Any, list[Any]] = {}

    def add_arc(self, node: Any) -> None:
        """Add a node."""
        self._after.setdefault(node, [])

    def add_edge(self, node: Any, after: Any) -> None:
        """Say that ``after`` depends on ``node``."""
        self._after.setdefault(node, []).append(after)
        self._after.setdefault(after, [])

    def edges(self) -> list[Any]:
        """The nodes that something depends on."""
        return [node for node, after in self._after.items() if after]

    def items(self) -> Iterator[tuple[Any, list[Any]]]:
        """Each node with those that depend on it."""
        return iter(self._after.items())

    def valency_of(self, node: Any) -> int:
        """How many depend on a node, directly or not."""
        return sum(1 + self.valency_of(after) for after in self._after.get(node, ()))

    def topsort(self) -> list[Any]:
        """The nodes, each after all that it depends on."""
        before = dict.fromkeys(self._after, 0)
        for followers in self._after.values():
            for each in followers:
                before[each] += 1
        ready, ordered = [node for node, count in before.items() if not count], []
        while ready:
            node = ready.pop(0)
            ordered.append(node)
            for each in self._after[node]:
                before[each] -= 1
                if not before[each]:
                    ready.append(each)
        return ordered

    def to_dot(self) -> str:
        """The graph in the language of Graphviz."""
        lines = [f'  "{node}";' for node in self._after]
        lines += [f'  "{node}" -> "{each}";' for node, after in self._after.items() for each in after]
        return "\n".join(["digraph results {", *lines, "}", ""])

    def __iter__(self) -> Iterator[Any]:
        return iter(self._after)

    def __len__(self) -> int:
        return len(self._after)

    def __contains__(self, node: Any) -> bool:
        return node in self._after


def collect(root: Any, intermediate: bool, waiting: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Every result of the tree that ``root`` started, with its value.

    Args:
        root: a result.
        intermediate: do not wait for those that are not ready, and give what is stored of them.
        waiting: arguments of ``get``, such as ``timeout``.
    """
    if intermediate:
        for _, node in _tree(root, lambda node: node.ready()):
            yield node, node.result
    else:
        for _, node in _tree(root, lambda node: node.get(**waiting)):
            yield node, node.get(**waiting)


def iterdeps(root: Any, intermediate: bool) -> Iterator[tuple[Any, Any]]:
    """Parent and result, for every result of the tree that ``root`` started; the first has no parent.

    Raises:
        IncompleteStream: when one is not ready, so that nobody knows yet what it starts, unless ``intermediate``.
    """
    return _tree(root, _leave if intermediate else _check_ready)


def build_graph(root: Any, intermediate: bool) -> DependencyGraph:
    """That tree as a graph of results."""
    graph = DependencyGraph()
    for parent, node in iterdeps(root, intermediate):
        graph.add_arc(node)
        if parent is not None:
            graph.add_edge(parent, node)
    return graph


def _leave(node: Any) -> None:
    """Take it as it is."""


def _check_ready(node: Any) -> None:
    if not node.ready():
        raise IncompleteStream(f"Task {node.id} is not ready, so what it starts is not known yet")


def _tree(root: Any, before: Callable[[Any], object]) -> Iterator[tuple[Any, Any]]:
    waiting: list[tuple[Any, Any]] = [(None, root)]
    while waiting:
        parent, node = waiting.pop(0)
        before(node)
        yield parent, node
        waiting += [(node, child) for child in node.children or ()]
