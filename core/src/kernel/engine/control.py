"""Reading requests of remote control, and deciding whom they concern (wire.md 12). Whatever is sent, nothing breaks."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from kernel.errors import DecodeError
from kernel.model.control import MATCHERS, ControlRequest, ReplyTo

LATE_S = 60.0
"""A question is dropped when its time was over this long ago: clocks of two machines may well differ by seconds."""

_LONGEST_PATTERN = 1000
_MOST = 2.0**62
"""No time and no clock is beyond this, and no header of AMQP could carry it on."""
_NO_PATTERN = (re.error, OverflowError, RecursionError)
"""What ``re`` raises for a text that is no pattern, counts too far, or nests too deep."""


def read_request(body: object, headers: Mapping[str, Any]) -> ControlRequest:
    """The request in a decoded message.

    Raises:
        DecodeError: it is none.
    """
    if not isinstance(body, Mapping):
        raise DecodeError(f"A control message must be an object, got {type(body).__name__}")
    method, arguments = body.get("method"), body.get("arguments")
    if not isinstance(method, str) or not method:
        raise DecodeError(f"'method' of a control message must be a name, got {method!r:.80}")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        raise DecodeError(f"'arguments' of control message {method!r:.80} must be an object, got {arguments!r:.80}")
    return ControlRequest(
        method,
        arguments,
        destination=_names(body.get("destination")),
        pattern=_text(body.get("pattern")),
        matcher=_text(body.get("matcher")),
        ticket=_text(body.get("ticket")),
        reply_to=_address(body.get("reply_to")),
        expires=_number(headers.get("expires")),
        clock=int(_number(headers.get("clock"))),
    )


def concerns(request: ControlRequest, node: str) -> bool:
    """Whether a node of that name is meant: by name, by pattern, or because all are."""
    if request.destination:
        return node in request.destination
    if request.pattern is None:
        return True
    return matches(request.pattern, request.matcher, node)


def matches(pattern: str, matcher: str | None, node: str) -> bool:
    """Whether a node's name matches; a pattern or matcher that is none of the known ones matches nothing."""
    if len(pattern) > _LONGEST_PATTERN:
        return False
    if matcher == "pcre":
        try:
            return re.match(pattern, node) is not None
        except _NO_PATTERN:
            return False
    return matcher in {None, "glob"} and fnmatchcase(node, pattern)


def check_selection(destination: Sequence[str] | None, pattern: str | None, matcher: str | None) -> None:
    """Refuse a selection of nodes that cannot be meant.

    Raises:
        ValueError: for a destination that is no list of names, and for a pattern or matcher that is none.
    """
    if destination is not None and not _is_names(destination):
        raise ValueError(f"destination must be a list of node names, not {destination!r}")
    if pattern is not None and not isinstance(pattern, str):
        raise ValueError(f"pattern must be a text, not {pattern!r}")
    if matcher is not None and matcher not in MATCHERS:
        raise ValueError(f"There is no matcher {matcher!r}. Use {' or '.join(map(repr, MATCHERS))}.")
    if matcher == "pcre" and pattern is not None:
        try:
            re.compile(pattern)
        except _NO_PATTERN as error:
            raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from None


def over(request: ControlRequest, now: float) -> bool:
    """Whether nobody has been waiting for the answer for long."""
    return 0 < request.expires < now - LATE_S


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not _is_names(value):
        raise DecodeError(f"'destination' of a control message must be a list of names, got {value!r:.80}")
    return tuple(value)  # type: ignore[arg-type] # it is a sequence of texts


def _is_names(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_MOST < value < _MOST:
        return 0.0
    return float(value)


def _address(value: object) -> ReplyTo | None:
    if not isinstance(value, Mapping):
        return None
    exchange, key = value.get("exchange"), value.get("routing_key")
    return ReplyTo(exchange, key) if isinstance(exchange, str) and isinstance(key, str) and exchange else None
