"""The built-in compressors: what goes in comes out, and nothing comes out of a bomb."""

import bz2
import inspect
import lzma
import os
import random
import subprocess
import sys
import threading
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.builtins.compressors.bzip2 import Bzip2Compressor
from kernel.builtins.compressors.gzip import GzipCompressor
from kernel.builtins.compressors.lzma import LzmaCompressor
from kernel.builtins.compressors.plugin import bzip2_plugin, gzip_plugin, lzma_plugin, zlib_plugin
from kernel.builtins.compressors.zlib import ZlibCompressor
from kernel.errors import Code, DriverError

ALL = [ZlibCompressor(), GzipCompressor(), Bzip2Compressor(), LzmaCompressor()]
MIB = 1 << 20
BODY = b'[["https://example.org/x", 17], {"user": 3}, {"callbacks": null, "errbacks": null}]' * 3

each = pytest.mark.parametrize("compressor", ALL, ids=lambda compressor: compressor.name)


def code_of(compressor, data, max_output=MIB):
    with pytest.raises(DriverError) as caught:
        compressor.decompress(data, max_output)
    assert caught.value.retryable is False
    return caught.value.code


def test_the_plugins_provide_them():
    names = {}
    for plugin in (zlib_plugin, gzip_plugin, bzip2_plugin, lzma_plugin):
        (compressor,) = plugin.kernel_compressors()
        names[plugin.kernel_manifest().name] = (compressor.name, compressor.aliases, compressor.encoding)
    assert names == {
        "compression.zlib": ("zlib", (), "application/x-gzip"),
        "compression.gzip": ("gzip", (), "application/x-gzip"),
        "compression.bzip2": ("bzip2", ("bzip",), "application/x-bz2"),
        "compression.lzma": ("lzma", ("xz",), "application/x-lzma"),
    }


@each
@pytest.mark.parametrize("data", [b"", b"x", os.urandom(65536), b"ab" * 4 * MIB], ids=["empty", "one", "64K", "8M"])
def test_round_trip(compressor, data):
    small = compressor.compress(data)
    assert type(small) is bytes
    assert compressor.decompress(small, len(data)) == data
    assert len(small) <= len(data) * 1.01 + 600
    if data:
        assert code_of(compressor, small, len(data) - 1) is Code.TOO_LARGE


@each
@given(data=st.binary(max_size=2000) | st.text().map(str.encode))
@settings(max_examples=50, deadline=None)
def test_anything_comes_back(compressor, data):
    assert compressor.decompress(memoryview(compressor.compress(memoryview(data))), MIB) == data
    assert compressor.decompress(bytearray(compressor.compress(bytearray(data))), MIB) == data


@each
def test_levels(compressor):
    sizes = set()
    for level in compressor.levels:
        small = compressor.compress(BODY, level)
        assert compressor.decompress(small, MIB) == BODY
        assert small == compressor.compress(BODY, level)
        sizes.add(len(small))
    assert compressor.compress(BODY) == compressor.compress(BODY, compressor.default_level)
    assert compressor.default_level in compressor.levels
    for wrong in (-1, 10, 99, True):
        with pytest.raises(DriverError) as caught:
            compressor.compress(BODY, wrong)
        assert caught.value.code is Code.INVALID


@each
def test_truncated_at_every_offset(compressor):
    small = compressor.compress(BODY)
    assert {code_of(compressor, small[:end]) for end in range(len(small))} == {Code.CORRUPT}


@each
def test_what_follows_the_end_is_refused(compressor):
    small = compressor.compress(BODY)
    for rest in (b"\x00", b"junk", b"\x00" * 4, small):
        assert code_of(compressor, small + rest) is Code.CORRUPT


@each
def test_flipped_bits_are_noticed(compressor):
    small = compressor.compress(BODY)
    chance = random.Random(7)
    for _ in range(300):
        data = bytearray(small)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        with suppress(DriverError):
            assert compressor.decompress(data, MIB) == BODY  # such as a bit of the header that says nothing


@each
def test_foreign_formats(compressor):
    others = [zlib.compress(BODY), bz2.compress(BODY), lzma.compress(BODY), lzma.compress(BODY, lzma.FORMAT_ALONE)]
    foreign = [data for data in others if data[:2] != compressor.compress(BODY)[:2]]
    for data in (*foreign, b"\x1f\x8b\x08" + b"\x00" * 30, BODY, b"\x00", b"{}", os.urandom(100)):
        assert code_of(compressor, data) is Code.CORRUPT


def test_the_reference_libraries_agree():
    for reference, compressor in ((zlib, ALL[0]), (zlib, ALL[1]), (bz2, ALL[2]), (lzma, ALL[3])):
        assert compressor.decompress(reference.compress(BODY), MIB) == BODY
        assert reference.decompress(compressor.compress(BODY)) == BODY
    assert ALL[0].compress(BODY) == zlib.compress(BODY)
    assert ALL[2].compress(BODY) == bz2.compress(BODY)


def test_reading_lzma_is_bounded_in_memory_too():
    greedy = lzma.compress(b"x", preset=9)  # asks for 65 MiB to read one byte
    assert code_of(ALL[3], greedy) is Code.TOO_LARGE
    assert ALL[3].decompress(greedy, 64 * MIB) == b"x"
    assert ALL[3].decompress(ALL[3].compress(b"x", 9), 1) == b"x"


def test_the_bound_has_no_default():
    for compressor in ALL:
        assert inspect.signature(compressor.decompress).parameters["max_output"].default is inspect.Parameter.empty


BOMBS = """
import resource, sys, time
from kernel.builtins.compressors.plugin import bzip2_plugin, lzma_plugin, zlib_plugin
from kernel.errors import Code, DriverError
import zlib, bz2, lzma
MIB = 1 << 20
makers = {"zlib": zlib.compressobj(9), "bzip2": bz2.BZ2Compressor(), "lzma": lzma.LZMACompressor(preset=6)}
bombs = {}
for name, maker in makers.items():
    parts = [maker.compress(bytes(MIB)) for _ in range(256)]
    bombs[name] = b"".join(parts) + maker.flush()
del makers, maker, parts
plugins = {"zlib": zlib_plugin, "bzip2": bzip2_plugin, "lzma": lzma_plugin}
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 17 * MIB, used + 17 * MIB))
for name, bomb in bombs.items():
    started = time.process_time()
    try:
        plugins[name].kernel_compressors()[0].decompress(bomb, MIB)
    except DriverError as error:
        print(name, error.code is Code.TOO_LARGE, time.process_time() - started < 2)
"""


def test_bombs_cost_neither_memory_nor_time():
    run = subprocess.run([sys.executable, "-c", BOMBS], capture_output=True, text=True, check=False, timeout=120)
    assert run.stdout.splitlines() == ["zlib True True", "bzip2 True True", "lzma True True"], run.stderr


@each
def test_eight_threads(compressor):
    results = []

    def work(number):
        data = BODY * number
        results.append(all(compressor.decompress(compressor.compress(data), MIB) == data for _ in range(20)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
