"""xz streams, which this wire calls lzma."""

import lzma
from collections.abc import Sequence
from typing import ClassVar

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import Buffer

_SPARE = 16 * 1024 * 1024
"""Bytes a reader may need beside the output: level 6, the usual one, asks for 9 MiB however short its content is."""

_SMALLEST_DICT = 4096
_LARGEST_DICT = (1 << 18, 1 << 20, 1 << 21, 1 << 22, 1 << 22, 1 << 23, 1 << 23, 1 << 24, 1 << 25, 1 << 26)
"""Dictionary sizes of the levels 0 to 9 in bytes (xz(1))."""


class LzmaCompressor(Compressor):
    """``compression="lzma"`` or ``"xz"``: an xz stream with a CRC64.

    The dictionary is never larger than the data, so that reading needs no more memory than the data itself.
    """

    name: ClassVar[str] = "lzma"
    aliases: ClassVar[tuple[str, ...]] = ("xz",)
    encoding: ClassVar[str] = "application/x-lzma"
    checksum: ClassVar[bool] = True
    levels: ClassVar[Sequence[int]] = range(10)
    default_level: ClassVar[int] = 6

    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        """Compress into one stream."""
        preset = self.checked_level(level)
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        needed = max(_SMALLEST_DICT, 1 << (size - 1).bit_length())
        dict_size = min(_LARGEST_DICT[preset], needed)
        filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": dict_size}]
        return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        """Decompress one stream; one that asks for much more memory than its content may have is TOO_LARGE."""
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=max_output + _SPARE)
        try:
            out = stream.decompress(data, max_output + 1)
        except lzma.LZMAError as exc:
            if "limit" in str(exc):  # the library has no class or code of its own for it
                raise self.too_large(max_output) from exc
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))
