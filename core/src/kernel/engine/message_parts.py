"""The headers and the body of a task message, as wire.md 1.1 and 1.3 write them."""

from collections.abc import Iterator, Mapping
from typing import Any

from kernel.engine.saferepr import saferepr
from kernel.engine.timing import Timing
from kernel.model.call import Call
from kernel.model.message import LANG
from kernel.model.options import CallOptions
from kernel.model.signature import plain

HIDDEN = "(encrypted)"
"""Stands for the arguments in headers and events, where the body may be read only with a key."""
NO_EMBED: Mapping[str, None] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The third part of the body of a task that nothing follows."""
_FOLLOWERS = ("link", "link_error", "chain", "chord")


def build_headers(
    call: Call, options: CallOptions, timing: Timing, origin: str, max_depth: int | None
) -> dict[str, Any]:
    """The headers of protocol 2, in the order of wire.md 1.1, then the caller's own.

    Args:
        call: name, id and arguments.
        options: the call's options with the route's merged in.
        timing: its resolved times.
        origin: who sends it, such as ``gen123@host``.
        max_depth: depth of ``argsrepr`` and ``kwargsrepr`` (``task_repr_maxlevels``).
    """
    headers = {
        "lang": LANG,
        "task": call.task,
        "id": call.id,
        "shadow": options.get("shadow"),
        "eta": timing.eta,
        "expires": timing.expires,
        "group": options.get("group_id"),
        "group_index": options.get("group_index"),
        "retries": options.get("retries", 0),
        "timelimit": [options.get("time_limit"), options.get("soft_time_limit")],
        "root_id": options.get("root_id") or call.id,
        "parent_id": options.get("parent_id"),
        "argsrepr": saferepr(call.args, max_depth),
        "kwargsrepr": saferepr(call.kwargs, max_depth),
        "origin": origin,
        "ignore_result": options.get("ignore_result"),
        "replaced_task_nesting": options.get("replaced_task_nesting", 0),
        "stamped_headers": options.get("stamped_headers"),
        "stamps": options.get("stamps") or {},
    }
    own = options.get("headers")
    if own:
        headers.update(own)
    return headers


def build_body(call: Call, options: CallOptions, reply_to: str | None = None) -> list[Any]:
    """The three parts of a body: arguments, keyword arguments, and what follows the task.

    Signatures that have an id already answer to ``reply_to``, if there is one, whoever sends them, unless they say
    otherwise (wire.md 3).
    """
    if not any(name in options for name in _FOLLOWERS):
        return [call.args, call.kwargs, NO_EMBED]
    embed = {
        "callbacks": _signatures(options.get("link")),
        "errbacks": _signatures(options.get("link_error")),
        "chain": _signatures(options.get("chain")),
        "chord": plain(options["chord"]) if options.get("chord") else None,
    }
    if reply_to is not None:
        for part in embed.values():
            _address(part, reply_to)
    return [call.args, call.kwargs, embed]


def _address(value: object, reply_to: str) -> None:
    """Tell every signature with an id, at any depth, where its result is waited for. Changes plain copies in place."""
    if isinstance(value, dict):
        options = value.get("options")
        if "task" in value and isinstance(options, dict) and isinstance(options.get("task_id"), str):
            options.setdefault("reply_to", reply_to)
        for part in value.values():
            _address(part, reply_to)
    elif isinstance(value, list):
        for part in value:
            _address(part, reply_to)


def _signatures(value: object) -> list[Any] | None:
    if not value:
        return None
    if isinstance(value, Mapping):
        return [plain(value)]
    return [plain(one) for one in value]  # type: ignore[attr-defined] # the options say: a sequence of mappings


def ids_in(call: Call) -> Iterator[str]:
    """The id of a call, and those that the signatures after it were given already."""
    yield call.id
    for name in _FOLLOWERS:
        if name in call.options:
            yield from _given_ids(call.options[name])  # type: ignore[literal-required] # the names are keys of options


def _given_ids(value: object) -> Iterator[str]:
    """Task ids in signatures at any depth: ``options.task_id`` of whatever looks like one."""
    if isinstance(value, Mapping):
        options = value.get("options")
        if isinstance(options, Mapping) and isinstance(options.get("task_id"), str):
            yield options["task_id"]
        for part in value.values():
            yield from _given_ids(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _given_ids(part)
