"""The serializer contract, version 1: values to bytes and back, within bounds."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on what a decode may cost. ``max_bytes`` is checked before parsing."""

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = 128
    max_nodes: int = 5_000_000


class Serializer(ABC):
    """Turns values into bytes and back (contract ``serializer/1``). Stateless and safe in any thread.

    Attributes:
        name: what users write in ``serializer=``.
        content_type: MIME type in messages (wire.md 14.1).
        content_encoding: ``utf-8`` or ``binary``.
        safe: whether decoding untrusted bytes can do nothing but return a value or raise.
        types: kinds of values kept exactly, beside None, bool, int, float, str, list and dict with str keys:
            any of bytes, datetime, date, time, decimal, uuid, set, tuple, bigint, nan, nonstr_keys, any.
        canonical: equal values give equal bytes in every process.
    """

    name: ClassVar[str]
    content_type: ClassVar[str]
    content_encoding: ClassVar[str]
    safe: ClassVar[bool]
    types: ClassVar[frozenset[str]]
    canonical: ClassVar[bool]

    @abstractmethod
    def dumps(self, obj: object) -> bytes:
        """Encode.

        Raises:
            EncodeError: for a value it cannot carry exactly; the message names the path to it.
        """

    @abstractmethod
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Decode.

        Raises:
            DecodeError: for anything that is not one value of the format within ``limits``; never another error.
        """
