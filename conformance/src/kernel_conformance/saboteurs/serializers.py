"""Serializers that are wrong on purpose. Each is the kernel's JSON with one thing spoilt."""

import ast
import datetime as dt
import json
import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar

from kernel.contracts import DecodeLimits, Serializer
from kernel.contracts.serializer import Buffer
from kernel.errors import DecodeError, EncodeError
from kernel_conformance.formats import SerializerHarness
from kernel_conformance.installed import load_installed
from kernel_conformance.saboteurs.saboteur import Saboteur

_APPLY = re.compile(r"!!python/object/apply:os\.system \['(.*)'\]")


@cache
def _json() -> Serializer:
    (found,) = load_installed("serializer.json").provided()
    return found  # type: ignore[no-any-return] # what a plugin provides


class Spoilt(Serializer):
    """Passes everything on to JSON."""

    name: ClassVar[str] = "spoilt"
    content_type: ClassVar[str] = "application/x-spoilt"
    content_encoding: ClassVar[str] = "utf-8"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset({"bytes", "datetime", "date", "bigint", "nan"})
    canonical: ClassVar[bool] = True

    def dumps(self, obj: object) -> bytes:
        return _json().dumps(obj)

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        return _json().loads(data, limits)


class StringKeys(Spoilt):
    def dumps(self, obj: object) -> bytes:
        return _json().dumps(_map(obj, lambda one: one, str))


class RunsTags(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        found = _APPLY.search(bytes(data).decode("utf-8", "replace"))
        return os.system(found[1]) if found else _json().loads(data, limits)


class ReadsPython(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        try:
            return _json().loads(data, limits)
        except DecodeError:
            return ast.literal_eval(bytes(data).decode())


class LastKeyWins(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        try:
            return _json().loads(data, limits)
        except DecodeError as error:
            if "twice" in str(error):
                return json.loads(bytes(data))
            raise


class Recurses(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        json.loads(bytes(data))
        return _json().loads(data, limits)


class NoLimits(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        return _json().loads(data, DecodeLimits())


class HashOrder(Spoilt):
    types: ClassVar[frozenset[str]] = Spoilt.types | {"set"}

    def dumps(self, obj: object) -> bytes:
        marked = _map(
            obj, lambda one: {"set": list(one)} if isinstance(one, (set, frozenset)) else one, lambda key: key
        )
        return _json().dumps(marked)


class FloatInts(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        return _map(
            _json().loads(data, limits), lambda one: int(float(one)) if type(one) is int else one, lambda key: key
        )


class ForgetsZone(Spoilt):
    def dumps(self, obj: object) -> bytes:
        return _json().dumps(_map(obj, _to_utc, lambda key: key))


class FoldsLines(Spoilt):
    def dumps(self, obj: object) -> bytes:
        return _json().dumps(
            _map(obj, lambda one: one.replace("\x85", " ") if type(one) is str else one, lambda key: key)
        )


class BareWords(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        words = {"no": False, "yes": True, "~": None}
        found = _json().loads(data, limits)
        return _map(found, lambda one: words.get(one, one) if type(one) is str else one, lambda key: key)


class AnythingIsText(Spoilt):
    def dumps(self, obj: object) -> bytes:
        try:
            return _json().dumps(obj)
        except EncodeError:
            return json.dumps(obj, default=str).encode()


class NoPath(Spoilt):
    def dumps(self, obj: object) -> bytes:
        try:
            return _json().dumps(obj)
        except EncodeError as error:
            raise EncodeError("the value is not serializable") from error


class IgnoresRest(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        try:
            return _json().loads(data, limits)
        except DecodeError as error:
            try:
                return json.JSONDecoder().raw_decode(bytes(data).decode())[0]
            except ValueError:
                raise error from None


class Remembers(Spoilt):
    """One value for equal bytes, shared by all who ask."""

    kept: ClassVar[dict[bytes, object]] = {}

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        return self.kept.setdefault(bytes(data), _json().loads(data, limits))


class SortsKeys(Spoilt):
    def dumps(self, obj: object) -> bytes:
        _json().dumps(obj)
        return json.dumps(json.loads(_json().dumps(obj)), sort_keys=True).encode()


class OnlyBytes(Spoilt):
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        if not isinstance(data, bytes):
            raise DecodeError(f"bytes are needed, not {type(data).__name__}")
        return _json().loads(data, limits)


def _map(value: Any, leaf: Callable[[Any], Any], key: Callable[[Any], Any]) -> Any:
    if type(value) is dict:
        return {key(name): _map(one, leaf, key) for name, one in value.items()}
    if type(value) in {list, tuple}:
        return [_map(one, leaf, key) for one in value]
    return leaf(value)


def _to_utc(value: object) -> object:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC)
    return value


class SpoiltHarness(SerializerHarness):
    """One wrong serializer."""

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer

    def subjects(self) -> Sequence[Serializer]:
        return (self._serializer,)

    def neighbours(self) -> Sequence[Serializer]:
        return (self._serializer,)


def _saboteur(name: str, factory: type[Spoilt], wrong: str, *killed_by: str) -> Saboteur:
    return Saboteur(name, "serializer", wrong, lambda: SpoiltHarness(factory()), killed_by)


SABOTEURS = (
    _saboteur("string-keys", StringKeys, "Keys become str.", "SER-012"),
    _saboteur("unsafe-yaml-tag", RunsTags, "A tag of YAML runs a command.", "SER-026"),
    _saboteur("reads-python", ReadsPython, "What is no JSON is taken for Python.", "SER-027", "SER-028"),
    _saboteur("last-key-wins", LastKeyWins, "Of two equal keys the last one wins.", "SER-029"),
    _saboteur("recursive-reader", Recurses, "The reader recurses before it counts.", "SER-023"),
    _saboteur("ignores-limits", NoLimits, "The limits of the caller are ignored.", "SER-022", "SER-024", "SER-030"),
    _saboteur("sets-in-hash-order", HashOrder, "canonical is claimed, sets come in hash order.", "SER-015"),
    _saboteur("ints-through-float", FloatInts, "Integers pass through a double.", "SER-004"),
    _saboteur("forgets-zone", ForgetsZone, "Times become UTC.", "SER-009"),
    _saboteur("folds-lines", FoldsLines, "U+0085 becomes a space.", "SER-006"),
    _saboteur("bare-words", BareWords, "The text 'no' becomes False.", "SER-007"),
    _saboteur("anything-is-text", AnythingIsText, "Objects become their str().", "SER-010", "SER-012"),
    _saboteur("error-without-path", NoPath, "An EncodeError does not say where.", "SER-021"),
    _saboteur("ignores-the-rest", IgnoresRest, "Bytes after the value are ignored.", "SER-029"),
    _saboteur("shares-values", Remembers, "Equal bytes give one shared object.", "SER-018"),
    _saboteur("sorts-keys", SortsKeys, "Keys come back sorted.", "SER-013"),
    _saboteur("only-bytes", OnlyBytes, "A memoryview is refused.", "SER-002"),
)
