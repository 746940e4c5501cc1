"""bzip2 streams."""

import bz2
from collections.abc import Sequence
from typing import ClassVar

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import Buffer


class Bzip2Compressor(Compressor):
    """``compression="bzip2"``."""

    name: ClassVar[str] = "bzip2"
    aliases: ClassVar[tuple[str, ...]] = ("bzip",)
    encoding: ClassVar[str] = "application/x-bz2"
    checksum: ClassVar[bool] = True
    levels: ClassVar[Sequence[int]] = range(1, 10)
    default_level: ClassVar[int] = 9

    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        """Compress into one stream."""
        return bz2.compress(data, self.checked_level(level))

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        """Decompress one stream."""
        stream = bz2.BZ2Decompressor()
        try:
            out = stream.decompress(data, max_output + 1)
        except (OSError, ValueError) as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))
