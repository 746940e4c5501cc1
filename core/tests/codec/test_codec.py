"""The codec: names, what is accepted, limits, and errors of one kind."""

import pytest

from kernel.builtins.compressors.bzip2 import Bzip2Compressor
from kernel.builtins.compressors.gzip import GzipCompressor
from kernel.builtins.compressors.lzma import LzmaCompressor
from kernel.builtins.compressors.zlib import ZlibCompressor
from kernel.builtins.serializers.json import JsonSerializer
from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.contracts.serializer import DecodeLimits, Serializer
from kernel.engine.codec import Codec
from kernel.errors import (
    CodecError,
    ContentDisallowed,
    DecodeError,
    DriverError,
    EncodeError,
    ImproperlyConfigured,
    PluginError,
)

LIMITS = DecodeLimits(max_bytes=10_000)
COMPRESSORS = [ZlibCompressor(), GzipCompressor(), Bzip2Compressor(), LzmaCompressor()]


def codec(accept=("json",), serializers=None, compressors=None):
    return Codec(serializers or [JsonSerializer(), PickleSerializer()], compressors or COMPRESSORS, accept, LIMITS)


@pytest.mark.parametrize(
    "said",
    [(5, "utf-8", None), (["application/json"], "utf-8", None), ("application/json", "utf-8", {"x": 1}),
     ("text/plain", ["utf-8"], None), ("application/json", "utf-8", 7)],
)  # fmt: skip
def test_what_a_message_says_of_its_body_must_be_texts(said):
    with pytest.raises(DecodeError, match="must be texts"):
        codec().decode(b"{}", *said)


def test_round_trip_with_every_compressor():
    body = [[1, "x" * 500], {}, None]
    for name, header in [
        (None, None),
        ("zlib", "application/x-gzip"),
        ("gzip", "application/x-gzip"),
        ("bzip2", "application/x-bz2"),
        ("bzip", "application/x-bz2"),
        ("lzma", "application/x-lzma"),
        ("xz", "application/x-lzma"),
        ("application/x-bz2", "application/x-bz2"),
    ]:
        encoded = codec().encode(body, "json", name)
        assert encoded[1:] == ("application/json", "utf-8", header)
        assert codec().decode(*encoded) == body
        assert codec().decode(memoryview(encoded.body), *encoded[1:]) == body


def test_the_body_stays_raw_where_compressing_gains_nothing():
    assert codec().encode([[], {}, None], "json", "zlib") == (b"[[], {}, null]", "application/json", "utf-8", None)


def test_only_what_is_accepted_is_decoded():
    pickled = codec().encode({1}, "pickle")
    with pytest.raises(ContentDisallowed, match="'application/x-python-serialize' is not accepted") as caught:
        codec().decode(*pickled)
    assert "'pickle'" in caught.value.cure
    assert codec(["pickle"]).decode(*pickled) == {1}
    assert codec(["application/x-python-serialize"]).decode(*pickled) == {1}
    with pytest.raises(ContentDisallowed):
        codec(["pickle"]).decode(b"1", "application/json", "utf-8")
    with pytest.raises(ContentDisallowed, match="accepted: nothing"):
        codec([]).decode(b"1", "application/json", "utf-8")


def test_it_is_refused_before_anything_is_decompressed():
    with pytest.raises(ContentDisallowed):
        codec().decode(b"no stream at all", "application/x-yaml", "utf-8", "application/x-gzip")


@pytest.mark.parametrize("content_type", ["Application/JSON", "application/json; charset=utf-8", " application/json "])
def test_spellings_of_a_content_type(content_type):
    assert codec().decode(b"[1]", content_type, None) == [1]


@pytest.mark.parametrize("content_type", [None, ""])
def test_a_message_without_a_content_type(content_type):
    with pytest.raises(ContentDisallowed, match="does not say its content type"):
        codec().decode(b"[1]", content_type, None)


def test_raw_bytes_and_text_are_always_accepted():
    assert codec([]).decode(bytearray(b"\xff"), "application/data", "binary") == b"\xff"
    assert codec([]).decode(b"\xc3\xa9", "text/plain", "utf-8") == "\u00e9"
    assert codec([]).decode("\u00e9".encode("latin-1"), "text/plain", "latin-1") == "\u00e9"
    assert codec(["application/data"]).decode(b"x", "text/plain", None) == "x"
    for body, encoding in ((b"\xff", "utf-8"), (b"x", "no-such-encoding"), (b"x" * 10_001, "utf-8"), (b"x", "hex")):
        with pytest.raises(DecodeError):
            codec().decode(body, "text/plain", encoding)


@pytest.mark.parametrize("name", ["jsno", "JSON"])
def test_an_unknown_serializer_offers_the_nearest(name):
    with pytest.raises(ImproperlyConfigured, match=f"no serializer '{name}'") as caught:
        codec().encode(1, name)
    assert caught.value.cure == "Did you mean 'json'?"


def test_unknown_names_of_plugins_say_what_to_install():
    for ask, cure in [
        (lambda: codec().serializer("yaml"), "'pip install plugin-serializer-yaml' and add 'serializer.yaml'"),
        (lambda: codec(["yaml"]), "'serializer.yaml' to plugins"),
        (lambda: codec().compressor("brotli"), "'pip install plugin-compression-brotli'"),
        (lambda: codec().serializer("msgpack"), "'pip install plugin-serializer-msgpack' and add 'serializer.msgpack'"),
        (lambda: codec().compressor("zstandard"), "'pip install plugin-compression-zstd'"),
        (lambda: codec(serializers=[JsonSerializer()]).serializer("pickle"), "Add 'serializer.pickle' to plugins"),
        (lambda: codec().compressor("sevenzip"), "Known are bzip, bzip2, gzip, lzma, xz, zlib"),
        (lambda: codec(["application/x-unknown"]), "Known are json, pickle"),
    ]:
        with pytest.raises(ImproperlyConfigured) as caught:
            ask()
        assert cure in caught.value.cure


def test_two_plugins_with_one_name_are_an_error():
    with pytest.raises(PluginError, match="E105: Two plugins provide the serializer 'json'"):
        codec(serializers=[JsonSerializer(), JsonSerializer()])


class FastJson(JsonSerializer):
    name = "fastjson"

    def loads(self, data, limits):
        return "fast"


def test_of_two_serializers_for_one_type_the_accepted_one_decodes():
    both = [JsonSerializer(), FastJson()]
    assert codec(["json"], both).decode(b"1", "application/json", None) == 1
    assert codec(["fastjson"], both).decode(b"1", "application/json", None) == "fast"
    assert codec(["fastjson", "json"], both).decode(b"1", "application/json", None) == "fast"
    assert codec(["application/json"], both).decode(b"1", "application/json", None) == 1


def test_compressed_bodies_that_cannot_be_read():
    small = codec().encode("x" * 9_000, "json", "zlib")
    large = codec().encode("x" * 10_001, "json", "zlib")
    assert codec().decode(*small)
    for body, header, message in [
        (large.body, "application/x-gzip", "too large"),
        (small.body[:-1], "application/x-gzip", "damaged"),
        (small.body + b"x", "application/x-gzip", "damaged"),
        (b"", "application/x-gzip", "damaged"),
        (small.body, "application/x-bz2", "damaged"),
        (small.body, "application/zstd", "Unknown compression"),
        (small.body, "application/x-brotli", "Unknown compression"),
    ]:
        with pytest.raises(DecodeError, match=message):
            codec().decode(body, "application/json", "utf-8", header)


def test_a_nested_bomb_stops_at_the_outer_limit():
    zipped = ZlibCompressor()
    inner = zipped.compress(zipped.compress(b"0" * 5_000_000))
    with pytest.raises(DecodeError, match=r"No JSON|not UTF-8"):
        codec().decode(inner, "application/json", None, "application/x-gzip")
    with pytest.raises(DecodeError, match="too large"):
        codec().decode(zipped.compress(b"0" * 50_000_000), "application/json", None, "application/x-gzip")


def test_limits_reach_the_serializer():
    with pytest.raises(DecodeError, match="above the limit of 10,000"):
        codec().decode(b'"' + b"x" * 10_000 + b'"', "application/json", None)


class Faulty(Serializer):
    name = "faulty"
    content_type = "application/x-faulty"
    content_encoding = "binary"
    safe = True
    types = frozenset()
    canonical = True

    def dumps(self, obj):
        raise KeyError(obj)

    def loads(self, data, limits):
        raise KeyError("oops")


def test_a_faulty_plugin_gives_codec_errors():
    found = codec(["faulty"], [Faulty()])
    with pytest.raises(EncodeError, match="Serializer 'faulty' failed: KeyError: 1") as caught:
        found.encode(1, "faulty")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(DecodeError, match="Serializer 'faulty' failed"):
        found.decode(b"", "application/x-faulty", None)


def test_errors_have_one_base():
    assert not issubclass(CodecError, DriverError)
    for error in (EncodeError, DecodeError, ContentDisallowed):
        assert issubclass(error, CodecError)
