"""zlib streams, which this wire also calls gzip (wire.md 14.2)."""

import zlib
from collections.abc import Sequence
from typing import ClassVar

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import Buffer


class ZlibCompressor(Compressor):
    """``compression="zlib"``: a raw zlib stream under the header value ``application/x-gzip``."""

    name: ClassVar[str] = "zlib"
    encoding: ClassVar[str] = "application/x-gzip"
    checksum: ClassVar[bool] = True
    levels: ClassVar[Sequence[int]] = range(10)
    default_level: ClassVar[int] = 6

    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        """Compress; level 0 stores."""
        return zlib.compress(data, self.checked_level(level))

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        """Decompress one stream."""
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, max_output + 1)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))
