"""Bodies that no serializer wrote: raw bytes and plain text, which are always accepted (wire.md 14.1)."""

from collections.abc import Callable, Mapping

from kernel.contracts.serializer import Buffer, DecodeLimits
from kernel.errors import DecodeError

Reader = Callable[[Buffer, str | None, DecodeLimits], object]

_BINARY = frozenset({"", "binary"})


def read_bytes(body: Buffer, _encoding: str | None, limits: DecodeLimits) -> bytes:
    """The body itself.

    Raises:
        DecodeError: above ``max_bytes``.
    """
    data = bytes(body)
    if len(data) > limits.max_bytes:
        raise DecodeError(f"A body of {len(data):,} bytes is above the limit of {limits.max_bytes:,}")
    return data


def read_text(body: Buffer, encoding: str | None, limits: DecodeLimits) -> str:
    """The body as text; UTF-8 when it does not say its encoding.

    Raises:
        DecodeError: above ``max_bytes``, for an unknown encoding, and for bytes that are not text in it.
    """
    data = read_bytes(body, encoding, limits)
    try:
        return data.decode("utf-8" if encoding is None or encoding in _BINARY else encoding)
    except (LookupError, ValueError) as exc:
        raise DecodeError(f"No text in encoding {encoding!r:.40}: {exc}") from exc


RAW_READERS: Mapping[str, Reader] = {"application/data": read_bytes, "text/plain": read_text}
