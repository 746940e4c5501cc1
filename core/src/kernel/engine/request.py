"""The request a body sees, from a decoded message (features.md 1.21)."""

from collections.abc import Mapping
from typing import Any, Protocol

from kernel.errors import InvalidTaskError
from kernel.model.context import Request
from kernel.model.message import BROKER_HEADERS, OWN_HEADERS, Body

_NOT_OWN = OWN_HEADERS | BROKER_HEADERS


class Transported(Protocol):
    """What the transport says of a message beside its headers and body."""

    @property
    def delivery_info(self) -> Mapping[str, Any]:
        """exchange, routing_key, priority, redelivered."""

    @property
    def correlation_id(self) -> str | None:
        """The property of that name."""

    @property
    def reply_to(self) -> str | None:
        """The property of that name."""

    @property
    def properties(self) -> Mapping[str, Any] | None:
        """Transport properties."""

    @property
    def attempt(self) -> int | None:
        """Deliveries so far, this one included."""


def build_request(body: Body, transported: Transported, node: str) -> Request:
    """The request of one delivery.

    Raises:
        InvalidTaskError: for headers of a wrong type.
    """
    headers = body.headers
    task_id = headers.get("id")
    if not isinstance(task_id, str) or not task_id:
        raise InvalidTaskError(f"The header 'id' must be a text, got {task_id!r:.80}")
    embed = body.embed
    return Request(
        id=task_id,
        task=headers.get("task"),
        args=body.args,
        kwargs=body.kwargs,
        origin=headers.get("origin"),
        hostname=node,
        retries=_count(headers.get("retries"), "retries"),
        eta=headers.get("eta"),
        expires=headers.get("expires"),
        timelimit=time_limits(headers.get("timelimit")),
        group=headers.get("group"),
        group_index=headers.get("group_index"),
        chord=embed.chord,
        chain=embed.chain,
        callbacks=embed.callbacks,
        errbacks=embed.errbacks,
        root_id=headers.get("root_id") or task_id,
        parent_id=headers.get("parent_id"),
        correlation_id=transported.correlation_id or task_id,
        reply_to=transported.reply_to,
        delivery_info=transported.delivery_info,
        properties=transported.properties or {},
        headers=own_headers(headers),
        shadow=headers.get("shadow"),
        ignore_result=headers.get("ignore_result"),
        replaced_task_nesting=_count(headers.get("replaced_task_nesting"), "replaced_task_nesting"),
        stamped_headers=headers.get("stamped_headers"),
        stamps=headers.get("stamps") or {},
        called_directly=False,
        attempt=transported.attempt,
    )


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any] | None:
    """The caller's own extra headers, None when there are none."""
    if _NOT_OWN.issuperset(headers):
        return None
    return {key: value for key, value in headers.items() if key not in _NOT_OWN}


def time_limits(value: object) -> tuple[float | None, float | None]:
    """(hard, soft) in seconds from the header ``timelimit``; hard stands first (wire.md 2.2).

    Raises:
        InvalidTaskError: when it is not a pair of numbers or nulls.
    """
    if value is None:
        return (None, None)
    if not isinstance(value, (list, tuple)) or len(value) != 2:  # noqa: PLR2004 - hard and soft
        raise InvalidTaskError(f"The header 'timelimit' must be [hard, soft], got {value!r:.80}")
    hard, soft = value
    for limit in (hard, soft):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, float)) or limit <= 0):
            raise InvalidTaskError(f"A time limit must be a positive number or null, got {limit!r:.80}")
    return (hard, soft)


def _count(value: object, name: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidTaskError(f"The header {name!r} must be a whole number from 0, got {value!r:.80}")
    return value
