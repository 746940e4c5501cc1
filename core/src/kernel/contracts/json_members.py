"""The members of a JSON object with the text of each, so that a part of a document is taken out as it was written."""

import json
from typing import Any, NamedTuple

_decode = json.JSONDecoder().raw_decode
_SPACE = " \t\n\r"


class Member(NamedTuple):
    """One value of an object, decoded and as written."""

    value: object
    text: str


def members(text: str) -> dict[str, Member]:
    """The members of the one object that ``text`` is; of a repeated name the last one.

    Raises:
        ValueError: for anything else.
    """
    found: dict[str, Member] = {}
    at = _expect(text, _skip(text, 0), "{")
    at = _skip(text, at)
    more = text[at : at + 1] != "}"
    while more:
        _expect(text, at, '"')
        name, at = _value(text, at)
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        value, end = _value(text, at)
        found[name] = Member(value, text[at:end])
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        if more:
            at = _skip(text, at + 1)
    at = _skip(text, _expect(text, at, "}"))
    if at != len(text):
        raise ValueError(f"there is something behind the object, at character {at}")
    return found


def value_of(text: str) -> object:
    """The one JSON value that ``text`` is, with nothing around it.

    Raises:
        ValueError: for anything else.
    """
    value, end = _value(text, 0)
    if end != len(text):
        raise ValueError(f"there is something behind the value, at character {end}")
    return value


def is_value(text: str) -> bool:
    """Whether ``text`` is one JSON value that can stand in a document as it is."""
    try:
        text.encode()
        value_of(text)
    except ValueError:
        return False
    return True


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at a character, and where it ends."""
    try:
        return _decode(text, at)
    except RecursionError as error:
        raise ValueError("the value nests too deep") from error


def _skip(text: str, at: int) -> int:
    end = at
    while text[end : end + 1] and text[end] in _SPACE:
        end += 1
    return end


def _expect(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} at character {at}")
    return at + 1
