"""Harnesses of the kernel's own serializers, compressors and router."""

import shutil
import subprocess
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from kernel_conformance.formats import CompressionHarness, RouterHarness, SerializerHarness
from kernel_conformance.harness import Harness
from kernel_conformance.outcome import NotRun

_MOMENT = datetime(2026, 11, 21, 10, 30, 59, 123456, tzinfo=UTC)


class JsonHarness(SerializerHarness):
    """``serializer.json``."""

    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {
        "2026.11.0": (
            ([[1, "\u00fc", -0.5], {"a": None}, {"chain": []}], b'[[1, "\\u00fc", -0.5], {"a": null}, {"chain": []}]'),
            (_MOMENT, b'{"__type__": "datetime", "__value__": "2026-11-21T10:30:59.123456+00:00"}'),
            (date(2026, 11, 21), b'{"__type__": "date", "__value__": "2026-11-21"}'),
            (Decimal("1.10"), b'{"__type__": "decimal", "__value__": "1.10"}'),
            (UUID(int=1), b'{"__type__": "uuid", "__value__": {"hex": "00000000000000000000000000000001"}}'),
            (b"text", b'{"__type__": "bytes", "__value__": "text"}'),
            (b"\xff\x00", b'{"__type__": "base64", "__value__": "/wA="}'),
            (float("inf"), b"Infinity"),
        ),
    }
    hostile: Mapping[str, Sequence[bytes]] = {
        "nesting": (b"[" * 129 + b"]" * 129, b'{"a":' * 129 + b"1" + b"}" * 129),
        "malformed": (b"{'a': 1}", b"[1,]", b'{"a" 1}', b"[1] [2]", b"nul", b'"\n"', b"01", b"\xef\xbb\xbf[]"),
        "programs": (
            b'{"__type__": "unknown", "__value__": 1}',
            b'{"__type__": ["bytes"], "__value__": "x"}',
            b'{"__type__": "uuid", "__value__": "x"}',
        ),
        "heavy": (b'{"__type__": "decimal", "__value__": "1E' + b"9" * 1_000_000 + b'"}',),
    }


class PickleHarness(SerializerHarness):
    """``serializer.pickle``."""

    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {
        "2026.11.0": (
            (
                [(1, "a"), {"k": {2, 1}}, b"\xff"],
                (
                    b"\x80\x04\x95 \x00\x00\x00\x00\x00\x00\x00]\x94(K\x01\x8c\x01a\x94\x86\x94}\x94\x8c\x01k"
                    b"\x94\x8f\x94(K\x01K\x02\x90sC\x01\xff\x94e."
                ),
            ),
        ),
    }


class _StdioHarness(CompressionHarness):
    """The reference tool reads standard input."""

    canonical = True
    pack: Sequence[str] = ()
    unpack: Sequence[str] = ()

    def reference(self, data: bytes, *, compress: bool) -> bytes:
        """Run the tool."""
        command = list(self.pack if compress else self.unpack)
        if shutil.which(command[0]) is None:
            raise NotRun(f"the reference tool {command[0]} is not installed")
        run = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
        assert run.returncode == 0, f"{' '.join(command)} says: {run.stderr.decode(errors='replace')[-200:]}"
        return run.stdout


class ZlibHarness(_StdioHarness):
    """``compression.zlib`` and ``compression.gzip``: GNU gzip has a deflate of its own, in another container."""

    pack = ("gzip", "-c", "-n")
    unpack = ("gzip", "-d", "-c")
    mb_per_s = 10.0
    growth = 100

    def reference(self, data: bytes, *, compress: bool) -> bytes:
        """The deflate data inside a zlib stream, moved into a gzip file and back."""
        if compress:
            deflated = super().reference(data, compress=True)[10:-8]
            return b"\x78\x9c" + deflated + zlib.adler32(data).to_bytes(4, "big")
        plain = zlib.decompress(data)
        head = b"\x1f\x8b\x08" + bytes(7)
        tail = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) & 0xFFFFFFFF).to_bytes(4, "little")
        return super().reference(head + data[2:-4] + tail, compress=False)


class Bzip2Harness(_StdioHarness):
    """``compression.bzip2``."""

    pack = ("bzip2", "-c")
    unpack = ("bzip2", "-d", "-c")
    mb_per_s = 2.0


class LzmaHarness(_StdioHarness):
    """``compression.lzma``."""

    pack = ("xz", "-c")
    unpack = ("xz", "-d", "-c")
    mb_per_s = 0.5
    growth = 200


class ConfigRouterHarness(RouterHarness):
    """``router.config``."""

    rules: object = (
        ("proj.reports.*", {"queue": "reports"}),
        {"proj.add": "sums", "proj.*.slow": {"queue": "slow", "priority": 3}, "*.é": {"queue": "accents"}},
    )
    routed: Mapping[str, str] = {
        "proj.add": "sums",
        "proj.reports.daily": "reports",
        "proj.reports.slow": "reports",
        "proj.x.slow": "slow",
        "a.é": "accents",
    }
    unrouted: Sequence[str] = ("proj.addition", "other", "proj.slow", "PROJ.ADD", "proj.add ")

    def pattern_rules(self, pattern: str, queue: str) -> object:
        """A mapping with a glob."""
        return {pattern: queue}

    def function_rules(self, function: Callable[..., object]) -> object:
        """A list with the function."""
        return [function]

    def option_rules(self, option: str, value: object) -> object:
        """A mapping with the option."""
        return {"*": {option: value}}


FORMATS: Final[dict[str, Callable[[], Harness]]] = {
    "serializer.json": JsonHarness,
    "serializer.pickle": PickleHarness,
    "compression.zlib": ZlibHarness,
    "compression.gzip": ZlibHarness,
    "compression.bzip2": Bzip2Harness,
    "compression.lzma": LzmaHarness,
    "router.config": ConfigRouterHarness,
}
"""Plugin → its harness."""
