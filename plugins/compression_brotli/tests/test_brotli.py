"""Brotli: what goes in comes out, bombs stop at the bound, and whatever is no whole stream is refused."""

import importlib.metadata
import os
import random
import subprocess
import sys
import threading
from contextlib import suppress

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.errors import Code, DriverError
from plugin_compression_brotli.compressor import BrotliCompressor
from plugin_compression_brotli.plugin import plugin

BROTLI = BrotliCompressor()
MIB = 1 << 20
BODY = b'[["https://example.org/x", 17], {"user": 3}, {"callbacks": null, "errbacks": null}]' * 3


def code_of(data, max_output=MIB):
    with pytest.raises(DriverError) as caught:
        BROTLI.decompress(data, max_output)
    return caught.value.code


def test_the_entry_point_leads_to_it():
    (entry,) = importlib.metadata.entry_points(group="kernel.plugins", name="compression.brotli")
    assert entry.dist.name == "plugin-compression-brotli"
    assert entry.load() is plugin
    manifest = plugin.kernel_manifest()
    assert (manifest.name, dict(manifest.contracts)) == ("compression.brotli", {"compressor": "1.0"})
    (compressor,) = plugin.kernel_compressors()
    assert (compressor.name, compressor.encoding, compressor.checksum) == ("brotli", "application/x-brotli", False)


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(65536), b"ab" * 4 * MIB], ids=["empty", "one", "64K", "8M"])
def test_round_trip_and_exact_bound(data):
    small = BROTLI.compress(data)
    assert type(small) is bytes
    assert BROTLI.decompress(small, len(data)) == data
    assert len(small) <= len(data) + 100
    if data:
        assert code_of(small, len(data) - 1) is Code.TOO_LARGE


@given(data=st.binary(max_size=2000) | st.text().map(str.encode))
@settings(max_examples=50, deadline=None)
def test_anything_comes_back(data):
    for wrap in (bytes, bytearray, memoryview):
        assert BROTLI.decompress(wrap(BROTLI.compress(wrap(data))), MIB) == data


def test_levels():
    for level in BROTLI.levels:
        small = BROTLI.compress(BODY, level)
        assert small == brotli.compress(BODY, quality=level)
        assert BROTLI.decompress(small, MIB) == BODY
    assert BROTLI.compress(BODY) == BROTLI.compress(BODY, 5)
    for wrong in (-1, 12, True):
        with pytest.raises(DriverError) as caught:
            BROTLI.compress(BODY, wrong)
        assert caught.value.code is Code.INVALID


def test_truncated_at_every_offset():
    for level in (0, 5, 11):
        small = BROTLI.compress(BODY, level)
        assert {code_of(small[:end]) for end in range(len(small))} == {Code.CORRUPT}


@pytest.mark.parametrize("bound", [0, 1, 100])
@pytest.mark.parametrize("size", [0, 1, 3 * MIB])
def test_what_follows_the_end_is_refused_wherever_the_bound_lies(bound, size):
    data = os.urandom(size)
    small = BROTLI.compress(data)
    for rest in (b"\x00", b"junk", small):
        assert code_of(small + rest, size + bound) is Code.CORRUPT


def test_foreign_formats():
    for data in (b"", b"\x00", b"{}", BODY, b"\x1f\x8b\x08" + bytes(30), b"x\x9c" + bytes(30), b"BZh91AY&SY"):
        assert code_of(data) is Code.CORRUPT


def test_flipped_bits_give_bytes_or_a_driver_error():
    small = BROTLI.compress(BODY)
    chance = random.Random(7)
    for _ in range(2000):
        data = bytearray(small)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        with suppress(DriverError):
            assert len(BROTLI.decompress(data, MIB)) <= MIB


BOMB = """
import resource, time
import brotli
from plugin_compression_brotli.compressor import BrotliCompressor
from kernel.errors import Code, DriverError
MIB = 1 << 20
maker = brotli.Compressor(quality=5, lgwin=22)
bomb = b"".join([maker.process(bytes(MIB)) for _ in range(256)]) + maker.finish()
del maker
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 17 * MIB, used + 17 * MIB))
started = time.process_time()
try:
    BrotliCompressor().decompress(bomb, MIB)
except DriverError as error:
    print(len(bomb) < 1000, error.code is Code.TOO_LARGE, time.process_time() - started < 1)
"""


def test_a_bomb_costs_neither_memory_nor_time():
    run = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=False, timeout=120)
    assert run.stdout == "True True True\n", run.stderr


def test_eight_threads():
    results = []

    def work(number):
        data = BODY * number
        results.append(all(BROTLI.decompress(BROTLI.compress(data), MIB) == data for _ in range(20)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_the_codec_takes_it():
    from kernel.contracts.serializer import DecodeLimits
    from kernel.engine.codec import Codec
    from kernel.errors import DecodeError

    (json,) = importlib.metadata.entry_points(group="kernel.plugins", name="serializer.json")
    codec = Codec(json.load().kernel_serializers(), [BROTLI], ["json"], DecodeLimits(max_bytes=100_000))
    encoded = codec.encode(["x" * 90_000], "json", "brotli")
    assert encoded.compression == "application/x-brotli"
    assert codec.decode(*encoded) == ["x" * 90_000]
    with pytest.raises(DecodeError, match="too large"):
        codec.decode(*codec.encode(["x" * 100_000], "json", "brotli"))
