"""A serializer of bytes as they are, so that the kernel's codec can be asked what it does with a compressor."""

from typing import ClassVar

from kernel.contracts import DecodeLimits, Serializer
from kernel.contracts.serializer import Buffer
from kernel.errors import EncodeError


class PlainBytes(Serializer):
    """Bytes, and nothing else."""

    name: ClassVar[str] = "conformance-bytes"
    content_type: ClassVar[str] = "application/x-conformance-bytes"
    content_encoding: ClassVar[str] = "binary"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset({"bytes"})
    canonical: ClassVar[bool] = True

    def dumps(self, obj: object) -> bytes:
        """The bytes themselves."""
        if not isinstance(obj, bytes):
            raise EncodeError(f"value: only bytes, not {type(obj).__name__}")
        return obj

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """The bytes themselves."""
        return bytes(data)


PLAIN = PlainBytes()
