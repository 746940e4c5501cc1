"""Compressors that are wrong on purpose. Each is zlib with one thing spoilt."""

import gzip
import zlib
from collections.abc import Sequence
from typing import ClassVar

from kernel.contracts import Compressor
from kernel.contracts.serializer import Buffer
from kernel_conformance.formats import CompressionHarness
from kernel_conformance.saboteurs.saboteur import Saboteur


class Spoilt(Compressor):
    """What is right."""

    name: ClassVar[str] = "spoilt"
    encoding: ClassVar[str] = "application/x-spoilt"
    checksum: ClassVar[bool] = True
    levels: ClassVar[Sequence[int]] = range(10)
    default_level: ClassVar[int] = 6

    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        return zlib.compress(data, self.checked_level(level))

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, max_output + 1)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))


class NoBound(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        return zlib.decompress(data)


class BoundAfterwards(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))


class CutsOff(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        return super().decompress(data, 1 << 30)[:max_output]


class AcceptsJunk(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, max_output + 1)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=0)


class AcceptsParts(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, max_output + 1)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=True, rest=len(stream.unused_data))


class FalseChecksum(Spoilt):
    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        maker = zlib.compressobj(self.checked_level(level), wbits=-15)
        return maker.compress(data) + maker.flush()

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj(wbits=-15)
        try:
            out = stream.decompress(data, max_output + 1)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))


class ClampsLevels(Spoilt):
    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        return zlib.compress(data, self.default_level if level is None else max(0, min(9, level)))


class LeaksNative(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj()
        out = stream.decompress(data, max_output + 1)
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))


class DefaultBound(Spoilt):
    def decompress(self, data: Buffer, max_output: int = 1 << 30) -> bytes:
        return super().decompress(data, max_output)


class TellsTheTime(Spoilt):
    def compress(self, data: Buffer, level: int | None = None) -> bytes:
        return gzip.compress(data, self.checked_level(level))

    def decompress(self, data: Buffer, max_output: int) -> bytes:
        stream = zlib.decompressobj(wbits=31)
        try:
            out = stream.decompress(data, max_output + 1)
        except zlib.error as exc:
            raise self.corrupt(str(exc)) from exc
        return self.whole(out, max_output, ended=stream.eof, rest=len(stream.unused_data))


class UnpacksTwice(Spoilt):
    def decompress(self, data: Buffer, max_output: int) -> bytes:
        out = super().decompress(data, max_output)
        return super().decompress(out, max_output) if out[:1] == b"\x78" else out


class SpoiltHarness(CompressionHarness):
    """One wrong compressor."""

    canonical = True

    def __init__(self, compressor: Compressor) -> None:
        self._compressor = compressor

    def subjects(self) -> Sequence[Compressor]:
        return (self._compressor,)

    def neighbours(self) -> Sequence[Compressor]:
        return (self._compressor,)


def _saboteur(name: str, factory: type[Spoilt], wrong: str, *killed_by: str) -> Saboteur:
    return Saboteur(name, "compression", wrong, lambda: SpoiltHarness(factory()), killed_by)


SABOTEURS = (
    _saboteur("ignores-max-output", NoBound, "The bound is ignored.", "CMP-010", "CMP-011", "CMP-012", "CMP-013"),
    _saboteur("bound-afterwards", BoundAfterwards, "The bound is checked afterwards.", "CMP-012"),
    _saboteur("cuts-off-at-bound", CutsOff, "What is too large is cut off.", "CMP-010", "CMP-011"),
    _saboteur("accepts-junk", AcceptsJunk, "Bytes after the stream are ignored.", "CMP-017"),
    _saboteur("accepts-parts", AcceptsParts, "A truncated stream gives its beginning.", "CMP-015"),
    _saboteur("false-checksum", FalseChecksum, "checksum is claimed, the stream has none.", "CMP-016"),
    _saboteur("clamps-levels", ClampsLevels, "A level outside is the nearest one.", "CMP-005"),
    _saboteur("leaks-zlib-error", LeaksNative, "The library's own error escapes.", "CMP-016", "CMP-018"),
    _saboteur("default-bound", DefaultBound, "max_output has a default.", "CMP-009"),
    _saboteur("tells-the-time", TellsTheTime, "The stream contains the time.", "CMP-006"),
    _saboteur("unpacks-twice", UnpacksTwice, "A stream inside a stream is unpacked, too.", "CMP-014"),
)
