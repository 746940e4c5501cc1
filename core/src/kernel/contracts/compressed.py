"""How a stored payload says that it is compressed (wire.md 10.1)."""

from kernel.errors import DecodeError

MARK = b"\x00celery-compressed\x00"
"""Begins a compressed payload; the MIME name and another NUL follow, then the compressed bytes."""


def marked(encoding: str, body: bytes) -> bytes:
    """The payload of compressed bytes; ``encoding`` is the compressor's MIME name."""
    return MARK + encoding.encode() + b"\x00" + body


def split(payload: bytes) -> tuple[bytes, str | None]:
    """The bytes of a payload, and the MIME name they are compressed by; None when they are not.

    Raises:
        DecodeError: for a compressed payload that does not name its compression.
    """
    if not payload.startswith(MARK):
        return payload, None
    name, found, body = payload[len(MARK) :].partition(b"\x00")
    if not found:
        raise DecodeError("A compressed result does not name its compression")
    return body, name.decode("ascii", "replace")
