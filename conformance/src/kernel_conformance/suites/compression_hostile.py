"""Compressors: bombs, damage, and what is no stream at all."""

import time
from pathlib import Path

from kernel.errors import Code, DriverError
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.suites.compression_base import BODY, KIB, MIB, CompressionSuite

_BOUND = MIB
_SPARE = 16 * MIB
"""What decompressing may need beside its output."""
_FOREIGN = (
    b"\x00", b"x", b"{}", b'["json"]', b"plain text, long enough to be taken for a stream of something",
    b"\x1f\x8b\x08" + bytes(30), b"x\x9c" + bytes(30), b"BZh91AY&SY" + bytes(30), b"\xfd7zXZ\x00" + bytes(30),
    b"(\xb5/\xfd" + bytes(30), b"\x04\x22\x4d\x18" + bytes(30), b"PK\x03\x04" + bytes(30), b"\x5d\x00\x00" + bytes(30),
    b"\xff" * 100, bytes(100), bytes(range(256)),
)  # fmt: skip
"""Beginnings of streams of many formats, none of which goes on as it must."""


class CompressionHostile(CompressionSuite):
    """Small messages stay small, and what is not whole is refused."""

    @case("CMP-011", timeout_s=180.0)
    def bomb(self) -> None:
        """A real bomb, the harness's file of a few hundred bytes with up to 256 MiB of content, is TOO_LARGE at a
        bound of 1 MiB.

        Broken by: decompressing first and looking at the length afterwards.
        """
        path, size = self._bomb()
        assert path.stat().st_size * 100 <= size, f"{path.stat().st_size:,} bytes for {size:,} are no bomb"
        self.fails(path.read_bytes(), Code.TOO_LARGE, bound=_BOUND)

    @case("CMP-012", timeout_s=180.0)
    def bomb_memory(self) -> None:
        """Refusing a bomb at 1 MiB takes no more address space than the bound and 16 MiB.

        Broken by: buffers that double, and streams whose header may ask for a dictionary of any size.
        """
        path, _ = self._bomb()
        bomb = path.read_bytes()
        self.fails(self.subject.compress(bytes(4 * MIB)), Code.TOO_LARGE, bound=_BOUND)  # libraries are loaded now
        ended = in_child(lambda: str(self._code(bomb)), memory=_BOUND + _SPARE)
        assert ended.answer("decompressing a bomb with little memory") == Code.TOO_LARGE

    @case("CMP-013", timeout_s=180.0)
    def bomb_time(self) -> None:
        """Refusing a bomb at 1 MiB takes 100 ms of CPU time at most.

        Broken by: decompressing to the end to learn the length, which memory limits do not notice.
        """
        path, _ = self._bomb()
        bomb = path.read_bytes()

        def work() -> float:
            best = float("inf")
            for _ in range(5):  # a busy machine may disturb one of them
                began = time.process_time()
                self.fails(bomb, Code.TOO_LARGE, bound=_BOUND)
                best = min(best, time.process_time() - began)
            return best

        took = in_child(work, seconds=60).answer("decompressing a bomb")
        assert took <= 0.1, f"refusing the bomb took {took * 1000:.0f} ms of CPU time"

    @case("CMP-014", timeout_s=180.0)
    def nested_bomb(self) -> None:
        """A stream inside a stream stays one: what comes out is the inner stream, bounded by its own size.

        Broken by: readers that go on as long as the output looks compressed.
        """
        inner = self._bomb()[0].read_bytes()
        outer = self.subject.compress(inner)
        assert self.subject.decompress(outer, len(inner)) == inner, "the inner stream did not come out as it was"
        self.fails(outer, Code.TOO_LARGE, bound=len(inner) - 1)

    @case("CMP-015")
    def truncation(self) -> None:
        """A stream cut short at any byte is CORRUPT, at every level.

        Broken by: one-shot calls of libraries that return what there is.
        """
        for level in {self.subject.levels[0], self.subject.default_level, self.subject.levels[-1]}:
            small = self.subject.compress(BODY, level)
            for end in range(len(small)):
                self._cut(small, end)
        large = self.subject.compress(self.noise(70 * KIB))
        for _ in range(50):
            self._cut(large, self.random.randrange(len(large)))

    @case("CMP-016", proves=("checksum",), timeout_s=120.0)
    def bit_flips(self) -> None:
        """A stream with a flipped bit is CORRUPT where ``checksum`` is declared, but for bits that mean nothing. Else
        it is other bytes or a DriverError. Never another exception, never more than the bound, never a crash.

        Broken by: checks of the library that are off by default.
        """
        small = self.subject.compress(BODY)

        def work() -> list[int]:
            wrong = []
            for bit in range(len(small) * 8):
                damaged = bytearray(small)
                damaged[bit // 8] ^= 1 << bit % 8
                found = self.attempt(bytes(damaged), MIB)
                if isinstance(found, bytes) and found != BODY:
                    wrong.append(bit)
            return wrong

        wrong = in_child(work, seconds=90, memory=256 * MIB).answer("decompressing damaged streams")
        assert not (wrong and self.subject.checksum), f"bit {wrong[0]} flipped, and other bytes came out unnoticed"

    @case("CMP-017")
    def trailing_junk(self) -> None:
        """Bytes after the end of the stream are CORRUPT, a second stream too, wherever the bound lies.

        Broken by: ``unused_data`` that nobody looks at, and formats whose files may be concatenated.
        """
        for data in (b"", BODY, self.noise(3 * KIB), bytes(2 * MIB)):
            small = self.subject.compress(data)
            for junk in (b"\x00", b"\n", b"junk", bytes(1000), small, self.subject.compress(b"")):
                for spare in (0, 1, 64 * KIB):
                    self.fails(small + junk, Code.CORRUPT, bound=len(data) + spare)

    @case("CMP-018")
    def foreign(self) -> None:
        """Empty input, other formats and plain text are CORRUPT.

        Broken by: formats that begin with nothing in particular.
        """
        self.fails(b"", Code.CORRUPT)
        self.fails(bytearray(), Code.CORRUPT)  # type: ignore[arg-type] # a buffer
        codes = (Code.CORRUPT,) if self.subject.checksum else (Code.CORRUPT, Code.TOO_LARGE)
        for data in _FOREIGN:
            self.fails(data, *codes)

    @case("CMP-019", needs=("interop",))
    def interop(self) -> None:
        """Streams of the reference tool decompress here, and streams of ours there.

        Broken by: raw streams instead of the format's own container, or the other way round.
        """
        for plain, packed in self.harness.golden:
            assert self.subject.decompress(packed, len(plain)) == plain, (
                f"golden stream {packed!r:.40} gives other bytes"
            )
        if self.harness.has_reference:
            for data in (b"x", BODY, self.text(100 * KIB), self.noise(5 * KIB)):
                theirs = self.harness.reference(data, compress=True)
                assert self.subject.decompress(theirs, len(data)) == data, (
                    "a stream of the reference tool gives other bytes"
                )
                ours = self.harness.reference(self.subject.compress(data), compress=False)
                assert ours == data, "the reference tool gives other bytes for a stream of ours"

    def _bomb(self) -> tuple[Path, int]:
        path = self.folder / "bomb"
        return path, self.harness.bomb(path)

    def _cut(self, small: bytes, end: int) -> None:
        found = self.attempt(small[:end])
        assert isinstance(found, DriverError), f"{end} of {len(small)} bytes gave {len(found):,} bytes"
        assert found.code is Code.CORRUPT, f"{end} of {len(small)} bytes: expected CORRUPT, got {found.code}"

    def _code(self, data: bytes) -> Code | str:
        found = self.attempt(data, _BOUND)
        return found.code if isinstance(found, DriverError) else f"{len(found):,} bytes"
