"""Message protocol 1, written on request for workers of old (wire.md 4): no headers, and everything in the body."""

from collections.abc import Mapping
from typing import Any

from kernel.model.message import OWN_HEADERS


def to_protocol_1(headers: Mapping[str, Any], body: list[Any], *, utc: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The headers and the body of protocol 1.

    What it has no field for is left out: who sent it, its place in the workflow, stamps, ``ignore_result``, ``shadow``.

    Args:
        headers: those of protocol 2; what the caller added stays a header.
        body: the three parts of protocol 2.
        utc: whether its times are in UTC (``enable_utc``).
    """
    args, kwargs, embed = body
    written = {
        "task": headers["task"],
        "id": headers["id"],
        "args": args,
        "kwargs": kwargs,
        "group": headers["group"],
        "group_index": headers["group_index"],
        "retries": headers["retries"],
        "eta": headers["eta"],
        "expires": headers["expires"],
        "utc": utc,
        "callbacks": _callbacks(embed["callbacks"], embed["chain"]),
        "errbacks": embed["errbacks"],
        "timelimit": headers["timelimit"],
        "taskset": headers["group"],
        "chord": embed["chord"],
    }
    return {key: value for key, value in headers.items() if key not in OWN_HEADERS}, written


def _callbacks(callbacks: list[Any] | None, chain: list[Any] | None) -> list[Any] | None:
    """A chain as callbacks, each step linked to the one before; ``chain`` holds them in reverse order."""
    following: dict[str, Any] | None = None
    for step in chain or ():
        options = dict(step.get("options") or {})
        if following is not None:
            options["link"] = [*_as_list(options.get("link")), following]
        following = {**step, "options": options}
    if following is None:
        return callbacks
    return [*(callbacks or ()), following]


def _as_list(value: Any) -> list[Any]:
    if not value:
        return []
    return [value] if isinstance(value, Mapping) else list(value)
