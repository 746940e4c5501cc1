"""The serializer: one MessagePack value, of the plain types and bytes."""

from typing import ClassVar

import msgpack

from kernel.contracts.serializer import Buffer, DecodeLimits, Serializer
from kernel.contracts.values import ValueWalk
from kernel.errors import DecodeError, EncodeError
from plugin_serializer_msgpack.scan import check_structure

_INTS = range(-(1 << 63), 1 << 64)
"""What the format has room for: signed and unsigned ints of 64 bits."""


class MsgpackSerializer(Serializer):
    """``serializer="msgpack"``.

    Kept exactly: None, bool, int of 64 bits (-2**63 to 2**64-1), float with nan and the infinities, str, list, dict
    with str keys in their order, and bytes. Tuples become lists, subclasses of these types their base type.
    Everything else is refused, dates and longer ints among it: Celery writes and reads no extension types, so there
    is no way to carry them that both sides understand. Equal values with keys in equal order give equal bytes.
    """

    name: ClassVar[str] = "msgpack"
    content_type: ClassVar[str] = "application/x-msgpack"
    content_encoding: ClassVar[str] = "binary"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset({"bytes", "nan"})
    canonical: ClassVar[bool] = True

    def dumps(self, obj: object) -> bytes:
        """Encode, with the types for text and for bytes told apart.

        Raises:
            EncodeError: naming the path of the part that cannot be carried.
        """
        plain = ValueWalk("msgpack", _leaf, ints=_INTS).run(obj)
        try:
            return bytes(msgpack.packb(plain, use_bin_type=True))
        except (ValueError, OverflowError) as exc:  # a str or bytes of 4 GiB
            raise EncodeError(f"msgpack cannot carry the value: {exc}") from exc

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Decode exactly one value, without extension types and repeated keys; keys are str or bytes.

        Raises:
            DecodeError: for anything else, or more than ``limits`` allow.
        """
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if size > limits.max_bytes:
            raise DecodeError(f"A MessagePack text of {size:,} bytes is above the limit of {limits.max_bytes:,}")
        packed = bytes(data)
        check_structure(packed, limits)
        try:
            return msgpack.unpackb(packed, raw=False, strict_map_key=True, object_pairs_hook=_mapping)
        except (msgpack.UnpackException, ValueError, TypeError) as exc:
            raise DecodeError(f"No MessagePack: {' '.join(str(exc).split()):.300}") from exc


def _leaf(walk: ValueWalk, value: object) -> object:
    if isinstance(value, bytes):
        return bytes(value)
    return walk.refuse(
        f"msgpack cannot carry a value of type {type(value).__name__}",
        cure="Convert it where you call the task, or choose another serializer: json carries dates and numbers too.",
    )


def _mapping(pairs: "list[tuple[object, object]]") -> dict[object, object]:
    """One map; two equal keys would lose a value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[object] = set()
        for key, _ in pairs:
            if key in seen:
                raise DecodeError(f"A MessagePack map has the key {key!r:.80} twice")
            seen.add(key)
    return found
