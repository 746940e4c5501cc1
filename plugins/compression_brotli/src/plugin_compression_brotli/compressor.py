"""Brotli streams (RFC 7932), read step by step so that a small message cannot become a large one unseen."""

from collections.abc import Sequence
from typing import ClassVar

import brotli

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import Buffer

_STEP = 1 << 20
"""Bytes asked for in one step; the library's blocks grow with what it puts out, so it may be up to twice as much."""


class BrotliCompressor(Compressor):
    """``compression="brotli"``.

    A Brotli stream has no checksum: damage inside it may come out as other bytes. Level 5 costs tens of microseconds
    for a body of 2 KB; level 11 some thirty times that, for a tenth less.
    """

    name: ClassVar[str] = "brotli"
    encoding: ClassVar[str] = "application/x-brotli"
    checksum: ClassVar[bool] = False
    levels: ClassVar[Sequence[int]] = range(12)
    default_level: ClassVar[int] = 5

    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        """Compress into one stream.

        Raises:
            DriverError: INVALID for a level outside ``levels``.
        """
        return bytes(brotli.compress(data, quality=self.checked_level(level)))

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        """Decompress one stream, never holding much more than ``max_output`` bytes.

        Raises:
            DriverError: TOO_LARGE above ``max_output``; CORRUPT for damaged, truncated, foreign or empty input and
                for bytes after the end of the stream.
        """
        stream = brotli.Decompressor()
        parts: list[bytes] = []
        size = 0
        given = data
        while not stream.is_finished() and size <= max_output:
            try:
                part = stream.process(given, output_buffer_limit=min(_STEP, max_output + 1 - size))
            except brotli.error as exc:
                raise self.corrupt("it is damaged, or bytes follow its end") from exc
            given = b""
            parts.append(part)
            size += len(part)
            if not part and stream.can_accept_more_data():  # it waits for more, and there is no more
                break
        return self.whole(b"".join(parts), max_output, ended=stream.is_finished(), rest=0)
