"""Zstandard frames (RFC 8878), read piece by piece so that a small message cannot become a large one unseen."""

from collections.abc import Sequence
from typing import ClassVar

import zstandard

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import Buffer, FormatContext
from kernel.errors import Code, DriverError
from plugin_compression_zstd.dictionaries import Dictionaries

_MAGIC = b"\x28\xb5\x2f\xfd"
_BLOCK = 128 << 10
"""Most bytes that one block of a frame can become."""
_BLOCK_HEADER = 3
"""Bytes that a block takes at least."""
_SPARE_BLOCKS = 8
"""Blocks that a piece may hold beyond the bound: fewer would make pieces of a few bytes near it."""
_WINDOW = 8 << 20
"""The window that RFC 8878 asks every reader to allow, in bytes."""


class ZstdCompressor(Compressor):
    """``compression="zstd"``.

    Every frame written here ends with a checksum of its content. A reader checks it when there is one: frames that
    a Celery client writes have none.

    Args:
        dictionaries: what small messages are compressed with; none without option ``dictionaries``.
    """

    name: ClassVar[str] = "zstd"
    aliases: ClassVar[tuple[str, ...]] = ("zstandard",)
    encoding: ClassVar[str] = "application/zstd"
    checksum: ClassVar[bool] = True
    levels: ClassVar[Sequence[int]] = range(1, 23)
    default_level: ClassVar[int] = 3

    def __init__(self, dictionaries: Dictionaries | None = None) -> None:
        self._dictionaries = dictionaries or Dictionaries((), self.default_level)

    def configured(self, context: FormatContext) -> Compressor:
        """The compressor with the dictionaries of the application.

        Raises:
            ImproperlyConfigured: for a file that is no dictionary.
        """
        paths = context.options["dictionaries"]
        assert isinstance(paths, (list, tuple))
        return ZstdCompressor(Dictionaries(paths, self.default_level)) if paths else self

    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        """Compress into one frame with its size and a checksum.

        Raises:
            DriverError: INVALID for a level outside ``levels``.
        """
        # One of its own for each call: the library's are not for several threads.
        used = self.checked_level(level)
        dictionary = self._dictionaries.writer(used)
        return zstandard.ZstdCompressor(used, dict_data=dictionary, write_checksum=True).compress(data)

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        """Decompress one frame, never holding much more than ``max_output`` bytes and a window.

        Raises:
            DriverError: TOO_LARGE above ``max_output``, and for a window above both that and 8 MiB; CORRUPT for
                damaged, truncated, foreign or empty input, for a frame that needs a dictionary not known here, and for
                bytes after the end of the frame.
        """
        view = memoryview(data).cast("B")
        window = max(_WINDOW, max_output)
        dictionary = self._dictionaries.find(self._check_header(view, max_output, window))
        stream = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=window).decompressobj()
        parts: list[bytes] = []
        size = position = 0
        while not stream.eof and size <= max_output and position < len(view):
            step = _BLOCK_HEADER * ((max_output - size) // _BLOCK + _SPARE_BLOCKS)
            try:
                part = stream.decompress(view[position : position + step])
            except zstandard.ZstdError as exc:
                raise self.corrupt(f"it is damaged: {exc}") from exc
            position += step
            parts.append(part)
            size += len(part)
        rest = len(stream.unused_data) + max(len(view) - position, 0)
        return self.whole(b"".join(parts), max_output, ended=stream.eof, rest=rest)

    def _check_header(self, view: memoryview, max_output: int, window: int) -> int:
        """Refuse by its first bytes what needs not be read; the number of the dictionary it needs, 0 for none."""
        if view[: len(_MAGIC)] != _MAGIC:
            raise self.corrupt("it does not begin as one")
        try:
            header = zstandard.get_frame_parameters(view)
        except zstandard.ZstdError as exc:
            raise self.corrupt("its header is damaged or ends too early") from exc
        if header.dict_id and self._dictionaries.find(header.dict_id) is None:
            raise self.corrupt(f"it needs the dictionary {header.dict_id}, which is not known here")
        if header.content_size not in {zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR} and (
            header.content_size > max_output
        ):
            raise self.too_large(max_output)
        if header.window_size > window:
            raise DriverError(
                Code.TOO_LARGE,
                f"the {self.name} stream needs a window of {header.window_size:,} bytes, more than {window:,}",
                cure="Write it with a lower level, or without long-distance matching.",
            )
        return int(header.dict_id)
