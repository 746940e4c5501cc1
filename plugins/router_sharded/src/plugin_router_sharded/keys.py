"""Keys as bytes, and bytes as numbers: the same in every process, on every machine, in every version."""

from datetime import date
from decimal import Decimal
from hashlib import blake2b
from uuid import UUID

SPAN = 1 << 64
"""Hashes are below this."""

_LONGEST_INT_BITS = 4096


def key_bytes(value: object) -> bytes | None:
    """The key as it is hashed; None for a value that is no key: a container, or an object of another type.

    A number and its text are the same key, as are a UUID and its text: callers spell an id one way or the other.
    """
    if isinstance(value, str):
        return str.encode(value, "utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value if value.bit_length() <= _LONGEST_INT_BITS else None
    if isinstance(value, date):
        return value.isoformat().encode()
    if isinstance(value, (bool, float, Decimal, UUID)):
        return str(value).encode()
    return None


def key_hash(key: bytes, use: bytes) -> int:
    """A number below ``SPAN``; different uses of one key are independent."""
    return int.from_bytes(blake2b(key, digest_size=8, person=use).digest(), "big")
