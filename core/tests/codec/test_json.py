"""JSON: what it keeps, what it refuses and where, and what hostile text does to it."""

import json
import subprocess
import sys
import threading
import time as time_module
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.builtins.serializers import json as json_module
from kernel.builtins.serializers.json import JsonSerializer
from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError, EncodeError

JSON = JsonSerializer()
LIMITS = DecodeLimits()
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def round_trip(value):
    return JSON.loads(JSON.dumps(value), LIMITS)


def nested(depth, inner=None):
    value = [] if inner is None else [inner]
    for _ in range(depth - 1):
        value = [value]
    return value


ODD_OFFSET = timezone(timedelta(hours=5, minutes=45, seconds=7))

# Written by kombu 5.7.0: kombu.utils.json.dumps(value).
GOLDEN = [
    (
        datetime(2026, 11, 21, 10, 7, 8, 357378, tzinfo=UTC),
        b'{"__type__": "datetime", "__value__": "2026-11-21T10:07:08.357378+00:00"}',
    ),
    (datetime(2026, 11, 21, 10, 7, 8), b'{"__type__": "datetime", "__value__": "2026-11-21T10:07:08"}'),
    (
        datetime(1, 1, 1, tzinfo=ODD_OFFSET),
        b'{"__type__": "datetime", "__value__": "0001-01-01T00:00:00+05:45:07"}',
    ),
    (date(2026, 11, 21), b'{"__type__": "date", "__value__": "2026-11-21"}'),
    (time(10, 7, 8, 5), b'{"__type__": "time", "__value__": "10:07:08.000005"}'),
    (Decimal("-1.50"), b'{"__type__": "decimal", "__value__": "-1.50"}'),
    (UUID(int=7), b'{"__type__": "uuid", "__value__": {"hex": "00000000000000000000000000000007"}}'),
    (b"text \xc3\xa9", b'{"__type__": "bytes", "__value__": "text \\u00e9"}'),
    (b"\xff\x00", b'{"__type__": "base64", "__value__": "/wA="}'),
    ([[2, 2], {}, EMBED], b'[[2, 2], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'),
    (
        {"a": [1.5, True, None, "\u00e9\U0001f600\u2028\x00"]},
        b'{"a": [1.5, true, null, "\\u00e9\\ud83d\\ude00\\u2028\\u0000"]}',
    ),
    (float("inf"), b"Infinity"),
]


@pytest.mark.parametrize(("value", "written"), GOLDEN)
def test_writes_what_kombu_writes(value, written):
    assert JSON.dumps(value) == written
    read = JSON.loads(written, LIMITS)
    assert read == value
    assert type(read) is type(value)


def unfolded(value):
    return value.replace(fold=0)  # ISO text has no fold


text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | text
    | st.binary()
    | st.datetimes(timezones=st.sampled_from([None, UTC, ODD_OFFSET])).map(unfolded)
    | st.dates()
    | st.times().map(unfolded)
    | st.decimals(allow_nan=False)
    | st.uuids()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)


def same(left, right):
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return repr(left) == repr(right)


@given(values)
@settings(max_examples=300, deadline=None)
def test_every_value_comes_back_with_its_type(value):
    assert same(round_trip(value), value)


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([[1, 2, {"user": {1}}], {}, EMBED], "args[2].user: json cannot carry a value of type set"),
        (
            [[], {"to": {"e-mail": frozenset()}}, EMBED],
            "kwargs.to['e-mail']: json cannot carry a value of type frozenset",
        ),
        (
            [[], {}, {**EMBED, "chain": [{"args": [object()]}]}],
            "embed.chain[0].args[0]: json cannot carry a value of type object",
        ),
        ({"a": [1, Colour.RED]}, "value.a[1]: json cannot carry a value of type Colour"),
        ([Level.LOW], "value[0]: json cannot carry the Enum member"),
        ({"w": Word.A}, "value.w: json cannot carry the Enum member"),
        ({"a": {1: "x"}}, "value.a[1]: json carries only str keys, not 1 (int)"),
        ({None: 1}, "value[None]: json carries only str keys"),
        ({True: 1}, "value[True]: json carries only str keys"),
        ({1.5: 1}, "value[1.5]: json carries only str keys"),
        ({("a",): 1}, "value[('a',)]: json carries only str keys"),
        ([bytearray(b"x")], "value[0]: json cannot carry a value of type bytearray"),
        (["ok", "caf\udce9"], "value[1]: a str with the lone surrogate '\\udce9'"),
        ({"\ud800": 1}, "value['\\ud800']: a str with the lone surrogate"),
        ([10**4300], "value[0]: an int of more than 4300 digits"),
        ({"x": {"__type__": "bytes", "__value__": "x"}}, "value.x: json cannot carry a dict with exactly the keys"),
        (complex(1), "value: json cannot carry a value of type complex"),
        ([int], "value[0]: json cannot carry a value of type type"),
    ],
)
def test_refuses_what_would_change_and_names_the_place(value, path):
    with pytest.raises(EncodeError) as caught:
        JSON.dumps(value)
    assert path in str(caught.value)
    assert len(caught.value.one_line()) < 400


def test_a_dict_that_only_resembles_a_tag_is_carried():
    value = [{"__type__": "datetime"}, {"__type__": "x", "__value__": 1, "more": 2}, {"__value__": 3}]
    assert round_trip(value) == value


def test_subclasses_become_their_base_and_tuples_lists():
    class Name(str):
        __slots__ = ()

    class Count(int):
        def __repr__(self):
            return "not a number"

    assert round_trip([OrderedDict(a=1), Name("n"), Count(3), (1, (2,))]) == [{"a": 1}, "n", 3, [1, [2]]]
    assert type(round_trip(Name("n"))) is str


class Money:
    def __init__(self, amount):
        self.amount = amount
        self.asked = 0

    def __json__(self):
        self.asked += 1
        return {"amount": self.amount, "due": date(2026, 1, 1)}


def test_json_method_is_asked_once():
    money = Money(3)
    assert round_trip([money]) == [{"amount": 3, "due": date(2026, 1, 1)}]
    assert money.asked == 1


def test_json_method_may_not_smuggle_or_fail_silently():
    with pytest.raises(EncodeError, match=r"value\[0\]\.amount: json cannot carry a value of type set"):
        JSON.dumps([Money({1})])

    class Broken:
        def __json__(self):
            raise RuntimeError("no database")

    with pytest.raises(EncodeError, match=r"value\.b: __json__\(\) of Broken raised RuntimeError: no database"):
        JSON.dumps({"b": Broken()})

    class Endless:
        def __json__(self):
            return Endless()

    with pytest.raises(EncodeError):
        JSON.dumps(Endless())


def test_depth_is_the_same_in_both_directions():
    for inner in (None, 1):
        assert round_trip(nested(128, inner)) == nested(128, inner)
        with pytest.raises(EncodeError, match="nested deeper than 128"):
            JSON.dumps(nested(129, inner))
    assert round_trip(nested(127, date(2026, 1, 1))) == nested(127, date(2026, 1, 1))
    assert round_trip(nested(126, UUID(int=1))) == nested(126, UUID(int=1))
    for depth, value in ((128, date(2026, 1, 1)), (127, UUID(int=1))):
        with pytest.raises(EncodeError, match="nested deeper than 128"):
            JSON.dumps(nested(depth, value))
    assert JSON.loads(b"[" * 128 + b"]" * 128, LIMITS) == nested(128)
    with pytest.raises(DecodeError, match="nests deeper than 128"):
        JSON.loads(b"[" * 129 + b"]" * 129, LIMITS)


def test_a_container_that_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    wide = {}
    wide["all"] = [wide] * 50
    for value in (loop, wide, [[], {"x": loop}, EMBED]):
        with pytest.raises(EncodeError, match=r"holds itself|more than"):
            JSON.dumps(value)


def test_shared_parts_that_multiply_are_refused_by_count():
    value = [0] * 10
    for _ in range(30):
        value = [value, value]
    with pytest.raises(EncodeError, match="more than 5,000,000 parts"):
        JSON.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"[1] [2]",
        b"[1]x",
        "[1]".encode("utf-16"),
        b"\xef\xbb\xbf[1]",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"__type__": "datetime", "__value__": "yesterday"}',
        b'{"__type__": "datetime", "__value__": 5}',
        b'{"__type__": "date", "__value__": null}',
        b'{"__type__": "decimal", "__value__": "one"}',
        b'{"__type__": "decimal", "__value__": [0, [1], "x"]}',
        b'{"__type__": "uuid", "__value__": {"int": 1}}',
        b'{"__type__": "uuid", "__value__": {"hex": "zz"}}',
        b'{"__type__": "base64", "__value__": "*"}',
        b'{"__type__": "base64", "__value__": "\\u00e9"}',
        b'{"__type__": "bytes", "__value__": "\\ud800"}',
        b'{"__type__": "os.system", "__value__": "true"}',
        b'{"__type__": ["x"], "__value__": "true"}',
        b'{"__type__": null, "__value__": null}',
        b"1" * 1_000_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"nul",
        b"'a'",
        b'"\n"',
    ],
)
def test_hostile_text_is_a_decode_error(data):
    with pytest.raises(DecodeError):
        JSON.loads(data, LIMITS)


def test_tags_spelled_with_escapes_are_tags_too():
    escaped = b'{"\\u005f_type__": "decimal", "__value__": "1"}'
    assert JSON.loads(escaped, LIMITS) == Decimal(1)


def test_truncation_at_every_offset_is_a_decode_error():
    whole = JSON.dumps([[1, "two", {"k": Decimal("3.5")}], {"when": datetime(2026, 1, 1)}, EMBED])
    for end in range(len(whole)):
        with pytest.raises(DecodeError):
            JSON.loads(whole[:end], LIMITS)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_flipped_bytes_give_a_value_or_a_decode_error(data):
    whole = bytearray(
        JSON.dumps([[1, "two", {"k": Decimal("3.5")}], {"when": datetime(2026, 1, 1), "b": b"\xff"}, EMBED])
    )
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[position] ^= data.draw(st.integers(1, 255))
    with suppress(DecodeError):
        JSON.loads(whole, LIMITS)


def test_limits():
    text = json.dumps(["x" * 100]).encode()
    assert JSON.loads(text, DecodeLimits(max_bytes=len(text)))
    with pytest.raises(DecodeError, match="above the limit"):
        JSON.loads(text, DecodeLimits(max_bytes=len(text) - 1))
    assert JSON.loads(memoryview(text), LIMITS) == JSON.loads(bytearray(text), LIMITS) == ["x" * 100]
    many = json.dumps([[1, 2], {"a": 3}]).encode()  # 6 values: 3 containers, 3 numbers
    assert JSON.loads(many, DecodeLimits(max_nodes=6))
    with pytest.raises(DecodeError, match="above the limit"):
        JSON.loads(many, DecodeLimits(max_nodes=5))
    assert JSON.loads(b'["[[[[[[", "\\"[[[[[{"]', DecodeLimits(max_depth=1)) == ["[[[[[[", '"[[[[[{']
    with pytest.raises(DecodeError, match="nests deeper than 1 "):
        JSON.loads(b'["\\\\",["]"]]', DecodeLimits(max_depth=1))


def test_input_is_left_alone_and_nothing_is_shared():
    shared = [1]
    value = {"a": shared, "b": shared, "t": (1, 2)}
    read = round_trip(value)
    assert value == {"a": [1], "b": [1], "t": (1, 2)}
    assert read["a"] is not read["b"]


def test_an_offset_that_cannot_be_asked_is_an_encode_error():
    class Zone(timezone.__base__):
        def utcoffset(self, when):
            raise LookupError("no such zone")

    with pytest.raises(EncodeError, match=r"value\[0\]: json cannot write a datetime: no such zone"):
        JSON.dumps([datetime(2026, 1, 1, tzinfo=Zone())])


HOSTILE = """
import resource, sys, time
from kernel.builtins.serializers.json import JsonSerializer
from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError
sys.setrecursionlimit(10_000_000)  # with which the standard parser follows the text until the stack ends
MIB = 1 << 20
texts = [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000, b'["' + b'\\\\"' * 500_000,
         b'"' + b"\\\\" * 1_000_000, b"1" * 1_000_000, b"-" * 1_000_000, b"[" + b"1" * 100_000 + b"]"]
JsonSerializer().loads(b"[1]", DecodeLimits())
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 64 * MIB, used + 64 * MIB))
for text in texts:
    started = time.process_time()
    try:
        JsonSerializer().loads(text, DecodeLimits())
    except DecodeError:
        print("refused" if time.process_time() - started < 1 else "slow")
"""

ORDER = """
from kernel.builtins.serializers.json import JsonSerializer
print(JsonSerializer().dumps([{"b": 1, "a": [2.5, b"x"]}, {str(n): n for n in range(50)}]))
"""


def run(program, seed="0"):
    return subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_no_text_ends_the_process():
    found = run(HOSTILE)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["refused"] * 8


def test_bytes_do_not_depend_on_the_hash_seed():
    runs = {run(ORDER, seed).stdout for seed in ("0", "1", "4242")}
    assert len(runs) == 1
    assert runs.pop().startswith("b'[{")


@given(values)
@settings(max_examples=200, deadline=None)
def test_the_quick_look_and_the_walk_write_the_same(value):
    assert json_module._encode(json_module._lower(value)).encode() == JSON.dumps(value)


def test_large_values_take_time_in_proportion():
    def seconds(size):
        value = [{"n": n, "t": "x"} for n in range(size)]
        started = time_module.process_time()
        assert round_trip(value) == value
        return time_module.process_time() - started

    seconds(100)
    assert seconds(80_000) < 8 * seconds(20_000) + 1


def test_eight_threads():
    results = []

    def work(number):
        value = [{"n": number, "when": datetime(2026, 1, number), "b": b"x" * number}]
        results.append(all(round_trip(value) == value for _ in range(100)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_a_repeated_key_among_very_many_is_found_at_once() -> None:
    body = b"{" + b",".join(b'"%d":0' % n for n in range(200_000)) + b',"199999":0}'
    with pytest.raises(DecodeError, match="'199999' twice"):
        JsonSerializer().loads(body, DecodeLimits())  # looking each key up in a list would take minutes
