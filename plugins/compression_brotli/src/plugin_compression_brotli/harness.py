"""What the conformance suite needs to know of Brotli; imported by the suite only, with the extra ``test``."""

from collections.abc import Sequence
from pathlib import Path

import brotli

from kernel_conformance import CompressionHarness

_MIB = 1 << 20


class BrotliHarness(CompressionHarness):
    """``compression.brotli``: streams of other writers, and a bomb that only a streaming writer can make quickly."""

    canonical = True
    mb_per_s = 10.0
    growth = 100
    # Short streams of the format's own test data, written by other encoders.
    golden: Sequence[tuple[bytes, bytes]] = (
        (b"", b"\x06"),
        (b"X" * 10 + b"Y" * 10, b"\x1b\x13\x00\x00\xa4\xb0\xb2\xea\x81\x47\x02\x8a"),
    )

    def bomb(self, path: Path) -> int:
        """Some hundred bytes that hold 256 MiB."""
        maker = brotli.Compressor(quality=5, lgwin=22)
        with path.open("wb") as file:
            for _ in range(256):
                file.write(maker.process(bytes(_MIB)))
            file.write(maker.finish())
        return 256 * _MIB
