"""Frames and tables: golden bytes, and agreement with py-amqp, whose encoding Celery's clients and workers use."""

from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest
from amqp import serialization
from amqp.basic_message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_broker_amqp import frames
from plugin_broker_amqp.properties import Properties, body_size, pack_header, unpack_header
from plugin_broker_amqp.table_reader import unpack_table
from plugin_broker_amqp.tables import MAX_DEPTH, BadTable, pack_table, short_text

GOLDEN = [
    (frames.ack(1, 7), "01000100 00000d 003c0050 0000000000000007 00 ce"),
    (frames.ack(1, 7, multiple=True), "01000100 00000d 003c0050 0000000000000007 01 ce"),
    (frames.nack(2, 1), "01000200 00000d 003c0078 0000000000000001 02 ce"),
    (frames.reject(2, 1), "01000200 00000d 003c005a 0000000000000001 00 ce"),
    (frames.qos(1, 10), "01000100 00000b 003c000a 00000000 000a 00 ce"),
    (frames.cancel(1, "t", answer=True), "01000100 000007 003c001e 0174 00 ce"),
    (frames.cancel(1, "t", answer=False), "01000100 000007 003c001e 0174 01 ce"),
    (frames.consume(1, "q", "t"), "01000100 00000f 003c0014 0000 0171 0174 08 00000000 ce"),
    (frames.publish_method(3, "", "q", mandatory=True), "01000300 00000a 003c0028 0000 00 0171 01 ce"),
    (frames.publish_method(3, "x", "k", mandatory=False), "01000300 00000b 003c0028 0000 0178 016b 00 ce"),
    (frames.HEARTBEAT_FRAME, "08000000 000000 ce"),
    (frames.content(1, b"H", b"", 4096), "02000100 000001 48 ce"),
    (frames.content(1, b"H", b"abc", 4096), "02000100 000001 48 ce 03000100 000003 616263 ce"),
    (frames.content(1, b"H", b"abcd", 10), "02000100 000001 48 ce 03000100 000002 6162 ce 03000100 000002 6364 ce"),
]


@pytest.mark.parametrize(("made", "golden"), GOLDEN)
def test_golden_frames(made: bytes, golden: str) -> None:
    assert made == bytes.fromhex(golden)


def test_the_golden_table() -> None:
    made = pack_table({"s": "é", "n": None, "t": True, "i": -1, "l": 2**40, "d": 1.5, "x": b"\x00", "a": [1], "f": {}})
    golden = (
        "00000048 0173 53 00000002 c3a9 016e 56 0174 74 01 0169 49 ffffffff 016c 6c 0000010000000000 0164 64"
        "3ff8000000000000 0178 78 00000001 00 0161 41 00000005 49 00000001 0166 46 00000000"
    )
    assert made == bytes.fromhex(golden)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.data())
def test_frames_are_cut_wherever_the_reads_end(noise: bytes, data: st.DataObject) -> None:
    wanted = [(1, 5, noise[start : start + 30]) for start in range(0, len(noise), 30)]
    stream = b"".join(frames.frame(*one) for one in wanted)
    cutter, found, start = frames.Cutter(), [], 0
    while start < len(stream):
        size = data.draw(st.integers(1, 60))
        found += list(cutter.feed(stream[start : start + size]))
        start += size
    assert found == wanted


def test_a_frame_that_does_not_end_is_refused() -> None:
    with pytest.raises(frames.BadFrame, match="0x00"):
        list(frames.Cutter().feed(frames.frame(1, 1, b"abc")[:-1] + b"\x00"))


def test_methods_of_the_server_are_read() -> None:
    deliver = frames.DELIVER + b"\x030.1" + pack(">Q", 9) + b"\x01" + b"\x01x" + b"\x02rk"
    assert frames.Origins().read(deliver) == (frames.Origin("0.1", "x", "rk"), 9, True)
    returned = frames.RETURN + pack(">H", 312) + b"\x08NO_ROUTE" + b"\x00" + b"\x02rk"
    assert frames.returned(returned) == ("", "rk")
    assert frames.reason_of_close(frames.CHANNEL_CLOSE + pack(">H", 404) + b"\x02no" + b"\x00" * 4) == (404, "no")
    assert frames.tag_and_bits(frames.ack(1, 300, multiple=True)[7:-1]) == (300, frames.MULTIPLE)


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20) | st.binary(max_size=20)
NUMBERS = st.floats(allow_nan=False)
VALUES = st.recursive(
    PLAIN | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=20), VALUES, max_size=5))
def test_tables_come_back_with_their_types(table: dict[str, Any]) -> None:
    packed = pack_table(table)
    found, end = unpack_table(packed)
    assert end == len(packed)
    assert repr(found) == repr(table)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=10), st.recursive(PLAIN, st.lists, max_leaves=5), max_size=5))
def test_celerys_library_reads_what_we_write(table: dict[str, Any]) -> None:
    [found], _ = serialization.loads("F", pack_table(table), 0)
    assert found == table


def test_we_read_what_celerys_library_writes() -> None:
    table = {"s": "x", "i": 5, "l": 2**40, "neg": -(2**40), "d": 0.5, "n": None, "t": False, "f": {"a": [1, "2"]}}
    found, _ = unpack_table(serialization.dumps("F", [table]))
    assert found == table


def test_headers_are_as_celerys_library_writes_them() -> None:
    ours = pack_header(
        Properties(
            content_type="application/json",
            content_encoding="utf-8",
            headers={"task": "add", "retries": 0, "eta": None},
            delivery_mode=2,
            priority=0,
            correlation_id="c",
            reply_to="r",
            expiration="60000",
        ),
        5,
    )
    theirs = Message(
        b"12345",
        content_type="application/json",
        content_encoding="utf-8",
        application_headers={"task": "add", "retries": 0, "eta": None},
        delivery_mode=2,
        priority=0,
        correlation_id="c",
        reply_to="r",
        expiration="60000",
    )
    assert ours == pack(">HHQ", 60, 0, 5) + theirs._serialize_properties()
    assert body_size(ours) == 5
    assert unpack_header(ours).expiration == "60000"


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, {1}, object(), {1: 2}, {"k": {2}}, "\ud800", {"x" * 256: 1}])
def test_what_no_table_can_hold(value: object) -> None:
    with pytest.raises(BadTable):
        pack_table({"a": value})


def test_depth_is_bounded_both_ways() -> None:
    deep: Any = {}
    for _ in range(MAX_DEPTH + 2):
        deep = {"a": deep}
    with pytest.raises(BadTable, match="deeper"):
        pack_table(deep)
    hostile = b""
    for _ in range(3000):
        hostile = b"\x01aF" + pack(">I", len(hostile)) + hostile
    with pytest.raises(BadTable, match="deeper"):
        unpack_table(pack(">I", len(hostile)) + hostile)


def _spoilt() -> Iterator[bytes]:
    good = pack_table({"a": "text", "b": [1, {"c": b"x"}], "d": 1.5})
    yield from (good[:size] for size in range(4, len(good)))
    yield from (good[:at] + bytes((byte,)) + good[at + 1 :] for at in range(len(good)) for byte in (0, 0x7F, 0xFF))


def test_nothing_in_a_table_can_do_more_than_be_refused() -> None:
    for data in _spoilt():
        try:
            unpack_table(data)
        except BadTable:
            continue


def test_a_broken_header_still_gives_properties() -> None:
    good = pack_header(Properties(content_type="a/b", headers={"a": 1}, correlation_id="c"), 0)
    found = unpack_header(good.replace(b"\x01aI", b"\x01a?"))
    assert found.broken
    assert (found.content_type, found.headers) == ("a/b", None)


def test_short_text_is_short() -> None:
    assert short_text("ü") == b"\x02\xc3\xbc"
    with pytest.raises(BadTable, match="256 bytes"):
        short_text("ü" * 128)
