"""The task message: protocol 2 written, protocols 2, 1 and their hybrid read (wire.md 1, 2 and 4).

A message is two plain parts: a mapping of headers, and a body ``[args, kwargs, embed]``. Bytes are the codec's
business; this module only knows what the parts mean.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kernel.errors import InvalidTaskError

LANG = "py"

OWN_HEADERS = frozenset(
    {
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit",
        "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting",
        "stamped_headers", "stamps", "compression",
    }
)  # fmt: skip
"""Header names that the protocol defines; every other header is the caller's own (wire.md 1.1)."""

BROKER_HEADERS = frozenset(
    {
        "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
        "x-last-death-exchange", "x-last-death-queue", "x-last-death-reason", "redelivered",
    }
)  # fmt: skip
"""Headers a broker adds; never sent on with a retry (wire.md 2.7)."""


class Embed(NamedTuple):
    """The third part of a body: what follows the task."""

    callbacks: list[Any] | None = None
    errbacks: list[Any] | None = None
    chain: list[Any] | None = None
    chord: Mapping[str, Any] | None = None

    def to_wire(self) -> dict[str, Any]:
        """The mapping of wire.md 1.3."""
        return {
            "callbacks": self.callbacks,
            "errbacks": self.errbacks,
            "chain": self.chain,
            "chord": self.chord,
        }


NO_EMBED = Embed()
_NOTHING_EMBEDDED = NO_EMBED.to_wire()


class Body(NamedTuple):
    """The decoded body of any protocol, with the headers that describe it."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    embed: Embed
    headers: Mapping[str, Any]


def read_body(headers: Mapping[str, Any], payload: object) -> Body:
    """Understand a decoded payload, whatever protocol wrote it.

    Args:
        headers: the message headers; empty for protocol 1.
        payload: what the serializer returned.

    Raises:
        InvalidTaskError: for a payload that is none of the three forms (wire.md 2, the lower rows).
    """
    if not isinstance(payload, (list, tuple)):
        if isinstance(payload, Mapping):
            return _read_mapping(headers, payload)
        raise InvalidTaskError(f"A task body must be a list or mapping, not {type(payload).__name__}")
    if len(payload) != 3:  # noqa: PLR2004 - args, kwargs, embed
        raise InvalidTaskError(f"A task body must have exactly 3 parts (args, kwargs, embed), got {len(payload)}")
    args, kwargs, embed = payload
    return Body(_args(args), _kwargs(kwargs), _embed(embed or {}), headers)


def _read_mapping(headers: Mapping[str, Any], payload: Mapping[str, Any]) -> Body:
    embed = _embed(payload)
    if "task" in headers:  # the hybrid: headers of protocol 2, body of protocol 1
        return Body(_args(payload.get("args")), _kwargs(payload.get("kwargs")), embed, headers)
    if not isinstance(payload.get("task"), str) or not isinstance(payload.get("id"), str):
        raise InvalidTaskError("A protocol 1 body must carry the text fields 'task' and 'id'")
    known = {key: payload[key] for key in OWN_HEADERS if key in payload}
    group = payload.get("group") or payload.get("taskset")
    return Body(_args(payload.get("args")), _kwargs(payload.get("kwargs")), embed, {**headers, **known, "group": group})


def _args(value: object) -> tuple[Any, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise InvalidTaskError(f"Task args must be a list, not {type(value).__name__}")
    return tuple(value)


def _kwargs(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidTaskError("Task kwargs must be a mapping with text keys")
    return value


def _embed(value: object) -> Embed:
    if value == _NOTHING_EMBEDDED:
        return NO_EMBED
    if not isinstance(value, Mapping):
        raise InvalidTaskError(f"The embedded options must be a mapping, not {type(value).__name__}")
    chord = value.get("chord")
    if chord is not None and not isinstance(chord, Mapping):
        raise InvalidTaskError(f"An embedded chord must be a mapping, not {type(chord).__name__}")
    return Embed(
        callbacks=_signatures(value, "callbacks"),
        errbacks=_signatures(value, "errbacks"),
        chain=_signatures(value, "chain"),
        chord=chord,
    )


def _signatures(value: Mapping[str, Any], key: str) -> list[Any] | None:
    found = value.get(key)
    if not found:
        return None
    if isinstance(found, Mapping):
        return [found]
    if not isinstance(found, (list, tuple)):
        raise InvalidTaskError(f"Embedded {key} must be a list of signatures, not {type(found).__name__}")
    return list(found)
