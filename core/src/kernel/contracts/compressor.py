"""The compressor contract, version 1: smaller bytes, and never a bomb."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from kernel.contracts.serializer import Buffer


class Compressor(ABC):
    """Compresses bodies and results (contract ``compressor/1``). Stateless and safe in any thread.

    Attributes:
        name: what users write in ``compression=``.
        aliases: further names for it.
        encoding: the value of the ``compression`` header (wire.md 14.2).
        checksum: whether damage is always noticed.
        levels: accepted levels, from fastest to smallest.
        default_level: the level used when none is given.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    encoding: ClassVar[str]
    checksum: ClassVar[bool]
    levels: ClassVar[Sequence[int]]
    default_level: ClassVar[int]

    @abstractmethod
    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        """Compress.

        Raises:
            DriverError: INVALID for a level outside ``levels``.
        """

    @abstractmethod
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        """Decompress to at most ``max_output`` bytes, using memory of that order and no more.

        Raises:
            DriverError: TOO_LARGE above ``max_output``; CORRUPT for damaged, truncated, foreign or empty input and
                for bytes after the end of the stream.
        """
