"""Errbacks of a failed task: those to call, and those to send (features.md 1.2)."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernel.engine.attempt import RunnableTask
from kernel.engine.following import launched
from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.context import Request
from kernel.model.nodes import Node, read_node
from kernel.model.signature import read_signature


@dataclass(frozen=True, slots=True)
class DirectErrback:
    """An errback called in the failing executor as ``(*args, request, exc, traceback)`` (features.md 1.2)."""

    task: RunnableTask
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Errbacks:
    """The two ways errbacks are run."""

    direct: tuple[DirectErrback, ...] = ()
    calls: tuple[Call, ...] = ()
    joins: tuple[Expected, ...] = ()


NO_ERRBACKS = Errbacks()


def errbacks_of(request: Request, tasks: Mapping[str, RunnableTask]) -> Errbacks:
    """The errbacks of a failed task, sorted into direct calls and tasks that get the failed id.

    Raises:
        InvalidTaskError: for an errback that cannot be understood.
    """
    if not request.errbacks:
        return NO_ERRBACKS
    direct: list[DirectErrback] = []
    nodes: list[Node] = []
    for value in request.errbacks:
        signature = read_signature(value)
        stored = tuple(signature["args"])
        task = tasks.get(signature["task"])
        if task is not None and takes_failure(task, len(stored)):
            direct.append(DirectErrback(task, stored))
        else:
            nodes.append(read_node(signature))
    following = launched(nodes, (request.id,), request)
    return Errbacks(tuple(direct), following.calls, following.joins)


def takes_failure(task: RunnableTask, stored: int) -> bool:
    """Whether an errback has the form ``f(*stored, request, exc, traceback)``, decided by its shape."""
    if getattr(task, "bind", False):
        return False
    try:
        parameters = inspect.signature(task.body).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return False
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    return len(positional) - stored > 1
