"""JSON as kombu writes it: plain JSON and tagged objects for dates, numbers and bytes (wire.md 14.1).

What differs is what kombu changes in silence and this module refuses: keys that are no str, members of an ``Enum``,
lone surrogates, and a dict of the caller that has exactly the two keys of a tag. No way of writing such a dict is
readable by kombu, so it is an EncodeError too.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from kernel.builtins.serializers import json_text
from kernel.builtins.serializers.json_plain import is_plain
from kernel.builtins.serializers.json_tags import TAG_KEYS, TYPE_KEY, from_tag, to_tag
from kernel.contracts.json_quick import json_reader, json_writer
from kernel.contracts.serializer import Buffer, DecodeLimits, Serializer
from kernel.contracts.values import ValueWalk
from kernel.errors import DecodeError, EncodeError


class JsonSerializer(Serializer):
    """``serializer="json"``, the default.

    Kept exactly: None, bool, int of at most 4300 digits, float with nan and the infinities, str, list, dict with str
    keys in their order, bytes, date, Decimal, UUID, and datetime and time with their offset: a named zone becomes its
    offset, and ``fold`` is lost. Tuples become lists, subclasses of these types their base type. An object with a
    ``__json__()`` method is written as what that returns. Equal values with keys in equal order give equal bytes.
    """

    name: ClassVar[str] = "json"
    content_type: ClassVar[str] = "application/json"
    content_encoding: ClassVar[str] = "utf-8"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset(
        {"bytes", "datetime", "date", "time", "decimal", "uuid", "bigint", "nan"}
    )
    canonical: ClassVar[bool] = True

    def dumps(self, obj: object) -> bytes:
        """Encode; see the class for what is kept.

        Raises:
            EncodeError: naming the path of the part that cannot be carried.
        """
        try:
            text = _encode(obj if is_plain(obj) else _lower(obj))
        except EncodeError:
            raise
        except Exception as exc:
            _lower(obj)  # knows the place, of an int too long to print for one
            raise EncodeError(f"json cannot carry the value: {exc}") from exc
        # Every lone surrogate is written as \udXXX, and so is every character beyond U+FFFF: only the walk can tell.
        if "\\ud" in text:
            _lower(obj)
        return text.encode("ascii")

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Decode one JSON text in UTF-8.

        Raises:
            DecodeError: for anything else, repeated keys, unknown tags, or more than ``limits`` allow.
        """
        text = json_text.bounded(data, limits)
        try:
            return _decode(text)
        except DecodeError:
            raise
        except ValueError as exc:
            raise DecodeError(f"No JSON: {exc}") from exc
        except RecursionError as exc:
            raise DecodeError("The JSON text nests deeper than this process can follow") from exc


def _lower(value: object) -> object:
    return ValueWalk("json", _leaf, reserved=TAG_KEYS).run(value)


def _leaf(walk: ValueWalk, value: object) -> object:
    reduce = getattr(value, "__json__", None)
    if callable(reduce) and not isinstance(value, type):
        return walk.value(_reduced(walk, value, reduce))
    if isinstance(value, (datetime, date, time, Decimal, UUID, bytes)):
        walk.wrap(2 if isinstance(value, UUID) else 1)
        return _tagged(walk, value)
    return walk.refuse(
        f"json cannot carry a value of type {type(value).__name__}",
        cure="Convert it where you call the task, give it a __json__() method, or choose another serializer.",
    )


def _tagged(walk: ValueWalk, value: object) -> object:
    try:
        return to_tag(value)
    except Exception as exc:  # noqa: BLE001 - a tzinfo of the user's may raise anything
        walk.refuse(f"json cannot write a {type(value).__name__}: {exc}", cause=exc)


def _reduced(walk: ValueWalk, value: object, reduce: object) -> object:
    try:
        return reduce()  # type: ignore[operator] # the caller has seen that it is callable
    except EncodeError:
        raise
    except Exception as exc:  # noqa: BLE001 - the user's method may raise anything
        walk.refuse(f"__json__() of {type(value).__name__} raised {type(exc).__name__}: {exc}", cause=exc)


def _object(pairs: list[tuple[str, object]]) -> object:
    """What one JSON object means; called for every object, innermost first."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()  # a hostile object may have very many keys: each is looked at once
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value] # add() is always falsy
        raise DecodeError(f"A JSON object has the key {twice!r:.80} twice")
    if TYPE_KEY in found and found.keys() == TAG_KEYS:
        return from_tag(found)
    return found


_encode = json_writer(to_tag)  # the walk has seen that nothing holds itself
_decode = json_reader(_object)
