"""Zstandard: what goes in comes out, bombs stop at the bound, and whatever is no whole stream is refused."""

import importlib.metadata
import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.contracts.serializer import FormatContext
from kernel.errors import Code, DriverError, ImproperlyConfigured
from plugin_compression_zstd.compressor import ZstdCompressor
from plugin_compression_zstd.plugin import plugin

ZSTD = ZstdCompressor()
MIB = 1 << 20
BODY = b'[["https://example.org/x", 17], {"user": 3}, {"callbacks": null, "errbacks": null}]' * 3


def code_of(data, max_output=MIB):
    with pytest.raises(DriverError) as caught:
        ZSTD.decompress(data, max_output)
    return caught.value.code


def test_the_entry_point_leads_to_it():
    (entry,) = importlib.metadata.entry_points(group="kernel.plugins", name="compression.zstd")
    assert entry.dist.name == "plugin-compression-zstd"
    assert entry.load() is plugin
    manifest = plugin.kernel_manifest()
    assert (manifest.name, dict(manifest.contracts)) == ("compression.zstd", {"compressor": "1.1"})
    (compressor,) = plugin.kernel_compressors()
    assert (compressor.name, compressor.encoding, compressor.checksum) == ("zstd", "application/zstd", True)


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(65536), b"ab" * 4 * MIB], ids=["empty", "one", "64K", "8M"])
def test_round_trip_and_exact_bound(data):
    small = ZSTD.compress(data)
    assert type(small) is bytes
    assert ZSTD.decompress(small, len(data)) == data
    assert len(small) <= len(data) + 100
    if data:
        assert code_of(small, len(data) - 1) is Code.TOO_LARGE


@given(data=st.binary(max_size=2000) | st.text().map(str.encode))
@settings(max_examples=50, deadline=None)
def test_anything_comes_back(data):
    for wrap in (bytes, bytearray, memoryview):
        assert ZSTD.decompress(wrap(ZSTD.compress(wrap(data))), MIB) == data


def test_levels():
    for level in ZSTD.levels:
        small = ZSTD.compress(BODY, level)
        assert zstandard.get_frame_parameters(small).has_checksum
        assert ZSTD.decompress(small, MIB) == BODY
    assert ZSTD.compress(BODY) == ZSTD.compress(BODY, 3)
    for wrong in (-1, 0, 23, True):
        with pytest.raises(DriverError) as caught:
            ZSTD.compress(BODY, wrong)
        assert caught.value.code is Code.INVALID


def test_truncated_at_every_offset():
    for level in (1, 3, 22):
        small = ZSTD.compress(BODY, level)
        assert {code_of(small[:end]) for end in range(len(small))} == {Code.CORRUPT}


@pytest.mark.parametrize("bound", [0, 1, 100])
@pytest.mark.parametrize("size", [0, 1, 3 * MIB])
def test_what_follows_the_end_is_refused_wherever_the_bound_lies(bound, size):
    data = os.urandom(size)
    small = ZSTD.compress(data)
    for rest in (b"\x00", b"junk", small):
        assert code_of(small + rest, size + bound) is Code.CORRUPT


def test_foreign_formats():
    for data in (b"", b"\x00", b"{}", BODY, b"\x1f\x8b\x08" + bytes(30), b"x\x9c" + bytes(30), b"BZh91AY&SY"):
        assert code_of(data) is Code.CORRUPT


def test_a_flipped_bit_is_noticed_unless_it_means_nothing():
    small = ZSTD.compress(BODY)
    for bit in range(len(small) * 8):
        data = bytearray(small)
        data[bit // 8] ^= 1 << bit % 8
        with suppress(DriverError):
            assert ZSTD.decompress(data, MIB) == BODY


# Written by the compression.zstd of kombu 5.7; none has a checksum.
CELERY = [
    (b"", b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"),
    (b"kernel " * 20, b"\x28\xb5\x2f\xfd\x20\x8cu\x00\x008kernel \x01\x00\x02Q\xc5\x08"),
]


@pytest.mark.parametrize(("plain", "packed"), CELERY)
def test_frames_of_celery_are_read(plain, packed):
    assert ZSTD.decompress(packed, len(plain)) == plain


def test_a_frame_without_its_size_is_read_to_the_bound():
    maker = zstandard.ZstdCompressor(level=3).compressobj()
    small = maker.compress(os.urandom(3 * MIB)) + maker.flush()
    assert zstandard.get_frame_parameters(small).content_size == zstandard.CONTENTSIZE_UNKNOWN
    assert len(ZSTD.decompress(small, 3 * MIB)) == 3 * MIB
    assert code_of(small, 3 * MIB - 1) is Code.TOO_LARGE
    assert code_of(small[:-1], 3 * MIB) is Code.CORRUPT


def test_a_frame_with_a_huge_window_is_refused():
    settings = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    maker = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    small = maker.compress(BODY) + maker.flush()
    assert code_of(small) is Code.TOO_LARGE
    assert ZSTD.decompress(small, 128 * MIB) == BODY


def test_a_size_that_is_a_lie_is_corrupt():
    small = bytearray(ZSTD.compress(b"x" * 200))
    assert small[5] == 200
    small[5] = 100
    assert code_of(small) is Code.CORRUPT
    small[5] = 255
    assert code_of(small) is Code.CORRUPT


def test_dictionaries_and_frames_to_skip_are_refused():
    trained = zstandard.train_dictionary(4096, [b'{"user": %d, "name": "someone %d"}' % (n, n) for n in range(1000)])
    small = zstandard.ZstdCompressor(dict_data=trained).compress(BODY)
    with pytest.raises(DriverError, match=f"dictionary {trained.dict_id()}"):
        ZSTD.decompress(small, MIB)
    assert code_of(b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + ZSTD.compress(BODY)) is Code.CORRUPT


BOMB = """
import resource, time
import zstandard
from plugin_compression_zstd.compressor import ZstdCompressor
from kernel.contracts.serializer import FormatContext
from kernel.errors import Code, DriverError, ImproperlyConfigured
MIB = 1 << 20
maker = zstandard.ZstdCompressor(level=3).compressobj()
bomb = b"".join([maker.compress(bytes(MIB)) for _ in range(256)]) + maker.flush()
del maker
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 17 * MIB, used + 17 * MIB))
started = time.process_time()
try:
    ZstdCompressor().decompress(bomb, MIB)
except DriverError as error:
    print(len(bomb) < 50_000, error.code is Code.TOO_LARGE, time.process_time() - started < 1)
"""


def test_a_bomb_costs_neither_memory_nor_time():
    run = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=False, timeout=120)
    assert run.stdout == "True True True\n", run.stderr


def test_eight_threads():
    results = []

    def work(number):
        data = BODY * number
        results.append(all(ZSTD.decompress(ZSTD.compress(data), MIB) == data for _ in range(20)))

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
    codec = Codec(json.load().kernel_serializers(), [ZSTD], ["json"], DecodeLimits(max_bytes=100_000))
    encoded = codec.encode(["x" * 90_000], "json", "zstandard")
    assert encoded.compression == "application/zstd"
    assert codec.decode(*encoded) == ["x" * 90_000]
    with pytest.raises(DecodeError, match="too large"):
        codec.decode(*codec.encode(["x" * 100_000], "json", "zstandard"))


def trained(path, word):
    samples = [f'{{"task": "proj.{word}.run", "args": [{n}], "user": "{word} {n}"}}'.encode() for n in range(2000)]
    data = zstandard.train_dictionary(4096, samples).as_bytes()
    path.write_bytes(data)
    return str(path), samples[7]


def with_dictionaries(*paths):
    return ZstdCompressor().configured(FormatContext({"dictionaries": paths}))


def test_dictionaries_make_small_messages_smaller_and_can_be_changed(tmp_path):
    old, message = trained(tmp_path / "old.dict", "orders")
    new, _ = trained(tmp_path / "new.dict", "billing")
    before, between, after = with_dictionaries(old), with_dictionaries(old, new), with_dictionaries(new, old)
    small = before.compress(message)
    assert len(small) < 0.6 * len(ZSTD.compress(message))
    for reader in (before, between, after):
        assert reader.decompress(small, MIB) == message
        assert reader.decompress(ZSTD.compress(message), MIB) == message
    assert between.decompress(after.compress(message), MIB) == message
    for stranger in (ZSTD, with_dictionaries(new)):
        with pytest.raises(DriverError, match=r"needs the dictionary [0-9]+, which is not known here"):
            stranger.decompress(small, MIB)


def test_levels_hold_with_a_dictionary(tmp_path):
    path, message = trained(tmp_path / "one.dict", "orders")
    one = with_dictionaries(path)
    text = message * 50 + os.urandom(100)
    for level in (1, 3, 19):
        assert one.decompress(one.compress(text, level), MIB) == text
    assert len(one.compress(text, 19)) <= len(one.compress(text, 1))


def test_bombs_stop_with_a_dictionary_too(tmp_path):
    path, _ = trained(tmp_path / "one.dict", "orders")
    one = with_dictionaries(path)
    with pytest.raises(DriverError) as caught:
        one.decompress(one.compress(bytes(8 * MIB)), MIB)
    assert caught.value.code is Code.TOO_LARGE


def test_a_damaged_frame_with_a_dictionary_is_refused(tmp_path):
    path, message = trained(tmp_path / "one.dict", "orders")
    one = with_dictionaries(path)
    small = one.compress(message)
    for position in range(len(small)):
        damaged = bytearray(small)
        damaged[position] ^= 0x10
        with suppress(DriverError):
            assert one.decompress(damaged, MIB) == message
    for end in range(len(small)):
        with pytest.raises(DriverError):
            one.decompress(small[:end], MIB)


@pytest.mark.parametrize("content", [None, b"", b"some text that is no dictionary"])
def test_what_is_no_dictionary(tmp_path, content):
    path = tmp_path / "kernel.dict"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=r"cannot be read|no trained Zstandard dictionary"):
        with_dictionaries(str(path))


def test_two_dictionaries_of_one_number(tmp_path):
    path, _ = trained(tmp_path / "one.dict", "orders")
    with pytest.raises(ImproperlyConfigured, match="Two dictionaries have the number"):
        with_dictionaries(path, path)
