"""The compressor contract, version 1: smaller bytes, and never a bomb."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from kernel.contracts.serializer import Buffer, FormatContext
from kernel.errors import Code, DriverError


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

    def configured(self, context: FormatContext) -> "Compressor":
        """The compressor that one application uses, called once before any other method (since contract 1.1).

        The default is this one, for formats that take no options. May read files that options name.

        Raises:
            ImproperlyConfigured: for options that cannot work.
        """
        return self

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

    def checked_level(self, level: int | None) -> int:
        """The level to use; None means the default one.

        Raises:
            DriverError: INVALID outside ``levels``.
        """
        if level is None:
            return self.default_level
        if level not in self.levels or isinstance(level, bool):
            raise DriverError(
                Code.INVALID,
                f"{self.name} has no level {level!r}",
                cure=f"Use one from {self.levels[0]} (fastest) to {self.levels[-1]} (smallest).",
            )
        return level

    def too_large(self, max_output: int) -> DriverError:
        """The error for a stream that holds more than ``max_output`` bytes."""
        return DriverError(Code.TOO_LARGE, f"the {self.name} stream holds more than {max_output:,} bytes")

    def corrupt(self, reason: str) -> DriverError:
        """The error for a stream that cannot be read."""
        return DriverError(Code.CORRUPT, f"no whole {self.name} stream: {reason}")

    def whole(self, out: bytes, max_output: int, *, ended: bool, rest: int) -> bytes:
        """``out``, when it is all of exactly one stream.

        Args:
            out: what was decompressed, at least one byte more than ``max_output`` when there is more than that.
            max_output: the bound.
            ended: whether the end of the stream was seen.
            rest: how many bytes follow that end.

        Raises:
            DriverError: TOO_LARGE or CORRUPT.
        """
        if len(out) > max_output:
            raise self.too_large(max_output)
        if not ended:
            raise self.corrupt("it ends too early")
        if rest:
            raise self.corrupt(f"{rest} bytes follow its end")
        return out
