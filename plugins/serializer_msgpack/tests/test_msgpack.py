"""MessagePack: what cannot be carried is refused by its place, and no bytes cost more than their limits."""

import importlib.metadata
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError, EncodeError
from plugin_serializer_msgpack.plugin import plugin
from plugin_serializer_msgpack.serializer import MsgpackSerializer

MSGPACK = MsgpackSerializer()
LIMITS = DecodeLimits()


def round_trip(value):
    return MSGPACK.loads(MSGPACK.dumps(value), LIMITS)


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def same(left, right):
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return repr(left) == repr(right)


def test_the_entry_point_leads_to_it():
    (entry,) = importlib.metadata.entry_points(group="kernel.plugins", name="serializer.msgpack")
    assert entry.dist.name == "plugin-serializer-msgpack"
    assert entry.load() is plugin
    manifest = plugin.kernel_manifest()
    assert (manifest.name, dict(manifest.contracts)) == ("serializer.msgpack", {"serializer": "1.0"})
    (serializer,) = plugin.kernel_serializers()
    assert (serializer.name, serializer.content_type, serializer.content_encoding, serializer.safe) == (
        "msgpack",
        "application/x-msgpack",
        "binary",
        True,
    )


text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | text | st.binary()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(values)
@settings(max_examples=300, deadline=None)
def test_every_value_comes_back_with_its_type(value):
    assert same(round_trip(value), value)


# What Celery's msgpack does to a value and to bytes, both with the library's plain calls.
@given(values)
@settings(max_examples=100, deadline=None)
def test_the_library_reads_and_writes_the_same(value):
    data = MSGPACK.dumps(value)
    assert data == msgpack.packb(value, use_bin_type=True)
    assert same(msgpack.unpackb(data, raw=False), value)


# Written by version 2026.11.0, and the body by kombu 5.7; every later version must write and read the same.
GOLDEN = [
    (
        [[1, "\u00fc", b"\xff\x00", -0.5, (1 << 64) - 1], {"a": None}, {"callbacks": None}],
        b"\x93\x95\x01\xa2\xc3\xbc\xc4\x02\xff\x00\xcb\xbf\xe0\x00\x00\x00\x00\x00\x00\xcf"
        + b"\xff" * 8
        + b"\x81\xa1a\xc0\x81\xa9callbacks\xc0",
    ),
    (None, b"\xc0"),
    (-(1 << 63), b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"),
    ([True, False, -1, 128, 65536], b"\x95\xc3\xc2\xff\xcc\x80\xce\x00\x01\x00\x00"),
    ({"b": 1, "a": "x" * 40}, b"\x82\xa1b\x01\xa1a\xd9\x28" + b"x" * 40),
    (list(range(16)), b"\xdc\x00\x10" + bytes(range(16))),
]


@pytest.mark.parametrize(("value", "written"), GOLDEN)
def test_golden_bytes(value, written):
    assert MSGPACK.dumps(value) == written
    assert same(MSGPACK.loads(written, LIMITS), value)


class Word(StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2, {"user": {1}}], {}, None], "args[2].user: msgpack cannot carry a value of type set"),
        ([[], {"n": Decimal(1)}, None], "kwargs.n: msgpack cannot carry a value of type Decimal"),
        ([UUID(int=1)], "value[0]: msgpack cannot carry a value of type UUID"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "value[0]: msgpack cannot carry a value of type datetime"),
        ({"day": date(2026, 1, 1)}, "value.day: msgpack cannot carry a value of type date"),
        ([datetime(2026, 1, 1).time()], "value[0]: msgpack cannot carry a value of type time"),
        ([bytearray()], "value[0]: msgpack cannot carry a value of type bytearray"),
        ([msgpack.Timestamp(1)], "value[0]: msgpack cannot carry a value of type Timestamp"),
        ([Word.A], "value[0]: msgpack cannot carry the Enum member"),
        ([[1 << 64], {}, None], "args[0]: msgpack carries only ints from -9223372036854775808 to 18446744073709551615"),
        ({"n": -(1 << 63) - 1}, "value.n: msgpack carries only ints"),
        ({1: 2}, "value[1]: msgpack carries only str keys"),
        ({b"k": 2}, "value[b'k']: msgpack carries only str keys"),
        (["caf\udce9"], "value[0]: a str with the lone surrogate"),
        ([10**4300], "value[0]: an int of more than 4300 digits"),
        (nested(129), "nested deeper than 128"),
    ],
)
def test_refuses_what_would_change_and_names_the_place(value, message):
    with pytest.raises(EncodeError) as caught:
        MSGPACK.dumps(value)
    assert message in str(caught.value)


def test_tuples_and_subclasses():
    class Raw(bytes):
        pass

    class Number(int):
        pass

    assert same(round_trip([(1, (2,)), Raw(b"x"), Number(7)]), [[1, [2]], b"x", 7])


def test_what_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(EncodeError, match="holds itself"):
        MSGPACK.dumps(loop)


def test_depth_is_the_same_in_both_directions():
    assert round_trip(nested(128)) == nested(128)
    with pytest.raises(DecodeError, match="nests deeper than 128"):
        MSGPACK.loads(b"\x91" * 128 + b"\x90", LIMITS)
    assert MSGPACK.loads(b"\x92\x90\x91\x90", DecodeLimits(max_depth=3)) == [[], [[]]]
    with pytest.raises(DecodeError, match="nests deeper than 2 "):
        MSGPACK.loads(b"\x92\x90\x91\x90", DecodeLimits(max_depth=2))


def test_a_repeated_key_is_found_in_time():
    pairs = b"".join(b"\xa6%06d\x01" % n for n in range(100_000)) + b"\xa699999x\x01\xa6099999\x02"
    started = time.process_time()
    with pytest.raises(DecodeError, match="'099999' twice"):
        MSGPACK.loads(b"\xdf" + (100_002).to_bytes(4, "big") + pairs, LIMITS)
    assert time.process_time() - started < 5


def test_limits():
    data = MSGPACK.dumps([["x" * 100], {"k": 1}])  # 6 values: 3 containers, the key, 2 scalars
    assert MSGPACK.loads(data, DecodeLimits(max_bytes=len(data), max_nodes=6))
    with pytest.raises(DecodeError, match="above the limit"):
        MSGPACK.loads(data, DecodeLimits(max_bytes=len(data) - 1))
    with pytest.raises(DecodeError, match="more values than the limit of 5"):
        MSGPACK.loads(data, DecodeLimits(max_nodes=5))
    assert MSGPACK.loads(memoryview(data), LIMITS) == MSGPACK.loads(bytearray(data), LIMITS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x91", "ends too early"),
        (b"\x01\x02", "1 bytes follow"),
        (b"\xa5abc", "ends too early"),
        (b"\xd9", "ends too early"),
        (b"\xda\x00", "ends too early"),
        (b"\xdc\x00", "ends too early"),
        (b"\xdd\x00\x00\x00\x02\x01", "ends too early"),
        (b"\xdd\xff\xff\xff\xff", "more values than the limit"),
        (b"\xdf\xff\xff\xff\xff", "more values than the limit"),
        (b"\xc6\xff\xff\xff\xffx", "ends too early"),
        (b"\xc1", "begins with the byte 0xc1"),
        (b"\xd6\xff\x00\x00\x00\x01", "begins with the byte 0xd6"),
        (b"\xc7\x01\x05x", "begins with the byte 0xc7"),
        (b"\x82\xa1a\x01\xa1a\x02", "the key 'a' twice"),
        (b"\x81\x01\x02", "No MessagePack: int is not allowed"),
        (b"\x81\x90\x02", "No MessagePack"),
        (b"\xa2\xff\xfe", "No MessagePack"),
        (b"\xa3\xed\xa0\x80", "No MessagePack"),
        (b'{"a": 1}', "follow"),
    ],
)
def test_hostile_bytes_are_a_decode_error(data, message):
    started = time.process_time()
    with pytest.raises(DecodeError) as caught:
        MSGPACK.loads(data, LIMITS)
    assert message in str(caught.value)
    assert len(caught.value.one_line()) < 500
    assert time.process_time() - started < 2


def test_foreign_bytes_are_read():
    # Longer forms than needed, and keys of bytes, which kombu reads too.
    assert MSGPACK.loads(b"\xdf\x00\x00\x00\x01\xc4\x01k\xdd\x00\x00\x00\x01\xd3" + bytes(8), LIMITS) == {b"k": [0]}
    assert MSGPACK.loads(b"\x92\xca\x3f\x80\x00\x00\xda\x00\x01x", LIMITS) == [1.0, "x"]


def test_truncation_at_every_offset_of_a_body():
    whole = MSGPACK.dumps([[1, "two", {"k": b"3"}, 2.5, 1 << 40], {"when": "x" * 300}, {"chain": None}])
    for end in range(len(whole)):
        with pytest.raises(DecodeError):
            MSGPACK.loads(whole[:end], LIMITS)


def test_any_bytes_give_a_value_or_a_decode_error():
    whole = MSGPACK.dumps([[1, "two \u00e9", {"k": b"3"}], {"when": 1 << 40, "x": 1.5}, {"chain": None}])
    chance = random.Random(7)
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] ^= chance.randint(1, 255)
        with suppress(DecodeError):
            MSGPACK.loads(data, LIMITS)
        with suppress(DecodeError):
            MSGPACK.loads(chance.randbytes(chance.randint(0, 30)), LIMITS)


HOSTILE = """
import resource, time
from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError
from plugin_serializer_msgpack.serializer import MsgpackSerializer
MIB = 1 << 20
texts = [b"\\x91" * MIB, b"\\x81\\xa1a" * 100_000, b"\\xdd\\x00\\x40\\x00\\x00" * 120,
         b"\\xdf\\x00\\x20\\x00\\x00" * 120,
         b"\\xdd\\x00\\x0e\\x00\\x00" * 120 + b"\\xc0" * MIB, b"\\xdd\\x7f\\xff\\xff\\xff" * 1000, b"\\xc9" * 100_000]
MsgpackSerializer().loads(b"\\x91\\x01", DecodeLimits())
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 16 * MIB, used + 16 * MIB))
for text in texts:
    started = time.process_time()
    try:
        MsgpackSerializer().loads(text, DecodeLimits())
    except DecodeError:
        print("refused" if time.process_time() - started < 2 else "slow")
"""


def test_no_bytes_end_the_process_or_fill_its_memory():
    found = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["refused"] * 7


def test_eight_threads():
    results = []

    def work(number):
        value = [{"n": number, "b": b"x" * number}]
        results.append(all(round_trip(value) == value for _ in range(20)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_the_codec_takes_it():
    from kernel.engine.codec import Codec
    from kernel.errors import ContentDisallowed

    body = [[b"\xff"], {"x": 1}, {"chain": None}]
    encoded = Codec([MSGPACK], [], ["msgpack"], LIMITS).encode(body, "msgpack")
    assert Codec([MSGPACK], [], ["application/x-msgpack"], LIMITS).decode(*encoded) == body
    with pytest.raises(ContentDisallowed, match="accepted: nothing"):
        Codec([MSGPACK], [], [], LIMITS).decode(*encoded)
