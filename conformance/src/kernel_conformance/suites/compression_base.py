"""What the compressors' tests have at hand."""

import random

from kernel.contracts import Compressor
from kernel.errors import Code, DriverError
from kernel_conformance.formats import CompressionHarness
from kernel_conformance.suite import Suite

KIB = 1 << 10
MIB = 1 << 20
BODY = b'[["https://example.org/x", 17], {"user": 3}, {"callbacks": null, "errbacks": null}]' * 3


class CompressionSuite(Suite):
    """Base of the compressors' suites; ``subject`` is the compressor."""

    subject: Compressor
    harness: CompressionHarness

    def trips(self, data: bytes, level: int | None = None) -> bytes:
        """``data`` must come back; its compressed form."""
        small = self.subject.compress(data, level)
        assert type(small) is bytes, f"compress gave {type(small).__name__}"
        plain = self.subject.decompress(small, len(data))
        assert type(plain) is bytes, f"decompress gave {type(plain).__name__}"
        assert plain == data, f"{len(data):,} bytes came back as {len(plain):,} other ones"
        return small

    def check(self, data: bytes) -> None:
        """``data`` must come back."""
        self.trips(data)

    def fails(self, data: bytes, *codes: Code, bound: int = MIB) -> None:
        """Decompressing must fail with one of these codes."""
        found = self.attempt(data, bound)
        wanted = " or ".join(codes)
        assert isinstance(found, DriverError), f"expected {wanted}, got {len(found):,} bytes"
        assert found.code in codes, f"expected {wanted}, got {found.code}: {found}"

    def attempt(self, data: bytes, bound: int = MIB) -> bytes | DriverError:
        """What comes out, at most ``bound`` bytes, or the DriverError; any other exception fails the test."""
        try:
            plain = self.subject.decompress(data, bound)
        except DriverError as error:
            return error
        except Exception as error:
            raise AssertionError(f"decompress let a {type(error).__name__} escape: {error}") from error
        assert len(plain) <= bound, f"{len(plain):,} bytes came out, beyond the bound of {bound:,}"
        return plain

    def noise(self, size: int) -> bytes:
        """Incompressible bytes, the same for the same seed."""
        return random.Random(self.seed).randbytes(size)

    def text(self, size: int) -> bytes:
        """Text-like bytes, the same for the same seed."""
        words = [
            bytes(self.random.choices(b"abcdefghijklmnopqrstuvwxyz", k=self.random.randint(2, 9))) for _ in range(500)
        ]
        return b" ".join(self.random.choices(words, k=size // 3 + 1))[:size]
