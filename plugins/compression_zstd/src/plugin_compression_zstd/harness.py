"""What the conformance suite needs to know of Zstandard; imported by the suite only, with the extra ``test``."""

from collections.abc import Sequence
from pathlib import Path

import zstandard

from kernel_conformance import CompressionHarness

_MIB = 1 << 20


class ZstdHarness(CompressionHarness):
    """``compression.zstd``: streams of other writers, and a bomb that does not tell its size."""

    canonical = True
    mb_per_s = 20.0
    growth = 100
    # Frames without a checksum, as the module that Celery uses writes them.
    golden: Sequence[tuple[bytes, bytes]] = (
        (b"", b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"),
        (b"kernel " * 20, b"\x28\xb5\x2f\xfd\x20\x8cu\x00\x008kernel \x01\x00\x02Q\xc5\x08"),
    )

    def bomb(self, path: Path) -> int:
        """Some kilobytes that hold 256 MiB, without the size in the header."""
        maker = zstandard.ZstdCompressor(level=3).compressobj()
        with path.open("wb") as file:
            for _ in range(256):
                file.write(maker.compress(bytes(_MIB)))
            file.write(maker.flush())
        return 256 * _MIB
