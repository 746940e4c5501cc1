"""The application's codec in the form that result backends get it."""

from kernel.contracts.serializer import Buffer
from kernel.engine.codec import Codec


class ResultFormats:
    """Implements :class:`kernel.contracts.formats.Formats`.

    Args:
        codec: accepts ``result_accept_content``.
        serializer: ``result_serializer``.
    """

    def __init__(self, codec: Codec, serializer: str) -> None:
        self._codec = codec
        self._serializer = serializer

    @property
    def content_type(self) -> str:
        """See :class:`kernel.contracts.formats.Formats`, as of the rest."""
        return self._codec.serializer(self._serializer).content_type

    def loads(self, data: Buffer, content_type: str) -> object:
        """Decode."""
        return self._codec.decode(data, content_type, None)

    def dumps(self, value: object, content_type: str) -> bytes:
        """Encode."""
        return self._codec.encode(value, content_type).body

    def compress(self, data: bytes, encoding: str) -> bytes:
        """Compress."""
        return self._codec.compressor(encoding).compress(data)

    def decompress(self, data: bytes, encoding: str) -> bytes:
        """Undo it."""
        return self._codec.decompress(data, encoding)
