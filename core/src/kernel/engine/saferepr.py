"""A bounded ``repr`` for logs, events and the ``argsrepr`` header (wire.md 1.1).

The result never exceeds the given length, never descends deeper than the given depth, never runs for ever on a
value that contains itself, and never raises, whatever an argument's own ``__repr__`` does.
"""

from collections.abc import Mapping
from typing import Any

MAX_CHARS = 1024
_SHORT_TEXT = 200
_FEW = 50
_DEEPEST = 100
"""Levels ever shown: more would only be brackets, and could exhaust the interpreter's stack."""
_PLAIN = frozenset({int, float, bool, type(None)})
_CUT = "..."


def saferepr(value: object, max_depth: int | None = 3, max_chars: int = MAX_CHARS) -> str:
    """The repr of ``value``, cut to ``max_chars`` characters.

    Args:
        value: anything.
        max_depth: levels of containers shown; 0 or None is as many as there is room for (``task_repr_maxlevels``).
        max_chars: longest text returned.
    """
    text = _flat(value)
    if text is None:
        writer = _Writer(max_chars, min(max_depth or _DEEPEST, _DEEPEST))
        try:
            writer.write(value, 0)
        except Exception as error:  # noqa: BLE001 - a foreign container may raise anything while it is read
            writer.parts.append(f"<{type(error).__name__}>")
        text = "".join(writer.parts)
    return text if len(text) <= max_chars else text[: max_chars - len(_CUT)] + _CUT


def _flat(value: Any) -> str | None:
    """The plain repr of a tuple or dict of small values, which nearly all arguments are; None for others."""
    kind = type(value)
    if kind is tuple:
        items = value
    elif kind is dict:
        items = value.values()
        if not all(type(key) is str for key in value):
            return None
    else:
        return None
    if len(value) > _FEW:
        return None
    for item in items:
        known = type(item)
        if known not in _PLAIN and (known is not str or len(item) > _SHORT_TEXT):
            return None
    return _own_repr(value)


def _own_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a foreign __repr__ may raise anything; a log line must not
        return f"<{type(value).__name__} object, its repr failed: {type(error).__name__}>"


class _Writer:
    """Writes one value until the room is used up."""

    def __init__(self, max_chars: int, max_depth: int) -> None:
        self.parts: list[str] = []
        self._room = max_chars + 1  # one more than fits, so that the caller sees that it was too long
        self._max_depth = max_depth
        self._open: set[int] = set()

    def write(self, value: object, depth: int) -> None:
        if isinstance(value, Mapping):
            self._container(value, "{", "}", depth)
        elif isinstance(value, list):
            self._container(value, "[", "]", depth)
        elif isinstance(value, tuple):
            self._container(value, "(", ",)" if len(value) == 1 else ")", depth)
        elif isinstance(value, (set, frozenset)) and value:
            self._container(value, "{", "}", depth)
        elif isinstance(value, (str, bytes)) and len(value) > self._room:
            self._put(_own_repr(value[: self._room]))
        else:
            self._put(_own_repr(value))

    def _put(self, text: str) -> None:
        self.parts.append(text[: self._room])
        self._room -= len(self.parts[-1])

    def _container(self, value: object, opening: str, closing: str, depth: int) -> None:
        self._put(opening)
        if depth >= self._max_depth or id(value) in self._open:
            self._put(_CUT)
        else:
            self._open.add(id(value))
            self._members(value, depth + 1)
            self._open.discard(id(value))
        self._put(closing)

    def _members(self, value: Any, depth: int) -> None:
        pairs = isinstance(value, Mapping)
        for number, member in enumerate(value.items() if pairs else value):
            if self._room <= 0:
                return
            if number:
                self._put(", ")
            if pairs:
                self.write(member[0], depth)
                self._put(": ")
                self.write(member[1], depth)
            else:
                self.write(member, depth)
