"""Scalars of YAML 1.1: which type a text has, and its value."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import yaml

from kernel.contracts.values import INT_DIGITS
from kernel.errors import DecodeError

_CORE = "tag:yaml.org,2002:"
STRING, TIMESTAMP, MERGE = _CORE + "str", _CORE + "timestamp", _CORE + "merge"
SEQUENCE, MAPPING = _CORE + "seq", _CORE + "map"

_constructor = yaml.constructor.SafeConstructor()
_resolver: Any = yaml.resolver.Resolver()  # its type hints do not cover resolve()


def read_scalar(tag: str | None, text: str, implicit: tuple[bool, bool]) -> object:
    """The value of a scalar.

    Args:
        tag: as written, or None.
        text: its content.
        implicit: whether it is plain, and whether it is quoted, without a tag; as the parser tells.

    Raises:
        DecodeError: for a tag of another type, and a text its type does not allow.
    """
    if tag is None or tag == "!":
        tag = _resolver.resolve(yaml.ScalarNode, text, implicit)
    if tag == STRING:
        return text
    read = _READERS.get(tag)
    if read is None:
        raise DecodeError(_unknown(tag))
    try:
        return read(text)
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError, yaml.YAMLError) as exc:
        kind = tag.removeprefix(_CORE)
        raise DecodeError(f"{text!r:.80} is no YAML {kind}: {exc}") from exc


def check_collection(tag: str | None, allowed: str) -> None:
    """Refuse a sequence or mapping that is tagged as something else.

    Raises:
        DecodeError: for any other tag.
    """
    if tag not in {None, "!", allowed}:
        raise DecodeError(_unknown(tag or ""))


def _unknown(tag: str) -> str:
    if tag == MERGE:
        return "YAML merge keys (<<) are refused"
    return f"The YAML tag {tag.replace(_CORE, '!!')!r:.80} is refused: only plain data is read"


def _node(text: str) -> Any:
    return yaml.ScalarNode("", text)


def _number(construct: Callable[[Any], Any]) -> Callable[[str], object]:
    def read(text: str) -> object:
        # Numbers of base 60 take time with the square of their length; Python itself refuses longer decimal ones.
        if len(text) > INT_DIGITS + 1:
            raise ValueError(f"it has more than {INT_DIGITS} digits")
        return construct(_node(text))

    return read


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except binascii.Error as exc:
        raise ValueError(str(exc)) from exc


def _timestamp(text: str) -> date:
    if _constructor.timestamp_regexp.match(text) is None:
        return datetime.fromisoformat(text)  # an offset with seconds, which YAML does not know
    found: date = _constructor.construct_yaml_timestamp(_node(text))
    return found


def _null(_text: str) -> None:
    return None


_READERS: Mapping[str, Callable[[str], object]] = {
    _CORE + "null": _null,
    _CORE + "bool": lambda text: _constructor.construct_yaml_bool(_node(text)),
    _CORE + "int": _number(_constructor.construct_yaml_int),
    _CORE + "float": _number(_constructor.construct_yaml_float),
    _CORE + "binary": _binary,
    TIMESTAMP: _timestamp,
}
