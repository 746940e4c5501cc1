"""Other tasks in the place of one that runs (features.md 2.1, ``Task.replace``)."""

from typing import Any

from kernel.engine.following import ReplacedBy, launched
from kernel.model.context import Request
from kernel.model.nodes import ACCUMULATE, Kind, Node, chord_node, kind_of, read_node, task_node, with_options
from kernel.model.signature import plain
from kernel.model.tail import Tail, attach


def replacement(sig: Any, request: Request) -> ReplacedBy:
    """What ends the run of ``request`` and puts ``sig`` in its place.

    Everything that waits for the run waits for the end of ``sig`` instead: its id, callbacks, errbacks, the rest of its
    chain and its place in a chord pass over to it, and its stamps to all parts.
    """
    whole = sig.clone()
    stamps = {name: request.stamps[name] for name in request.stamped_headers or () if name in request.stamps}
    if stamps:
        whole.stamp(**stamps)
    nesting = request.replaced_task_nesting + 1
    node = _ending_as(read_node(plain(whole)), request)
    node = with_options(_with_errbacks(node, request), {"replaced_task_nesting": nesting})
    tail = Tail(
        chain=tuple(reversed(request.chain or ())),
        links=tuple(request.callbacks or ()),
        chord=request.chord,
        group_id=request.group,
        group_index=request.group_index,
    )
    following = launched([attach(node, tail)], (), request, f"{request.id} replaced {nesting}")
    ended = ReplacedBy("Replaced by new task")
    ended.calls, ended.joins = following.calls, following.joins
    return ended


def _ending_as(node: Node, request: Request) -> Node:
    """The node with one task at its end, which has the id of the run it replaces."""
    match kind_of(node):
        case Kind.CHAIN:
            *steps, last = node["kwargs"]["tasks"]
            return {**node, "kwargs": {"tasks": [*steps, _ending_as(last, request)]}}
        case Kind.GROUP:
            return chord_node(node, _ending_as(task_node(ACCUMULATE, {"index": 0}), request))
        case Kind.CHORD:
            kwargs = node["kwargs"]
            return {**node, "kwargs": {**kwargs, "body": _ending_as(kwargs["body"], request)}}
        case Kind.TASK:
            options = {"task_id": request.id, "reply_to": request.reply_to}
            if request.ignore_result:
                options["ignore_result"] = True  # type: ignore[assignment] # options are of many types
            return with_options(node, options)


def _with_errbacks(node: Node, request: Request) -> Node:
    """Errbacks are told of whichever part fails: for a chain its option says so, else they stand at the end."""
    if not request.errbacks:
        return node
    if kind_of(node) is Kind.CHAIN:
        return with_options(node, {"link_error": [*(node["options"].get("link_error") or ()), *request.errbacks]})
    return attach(node, Tail(errors=tuple(request.errbacks)))
