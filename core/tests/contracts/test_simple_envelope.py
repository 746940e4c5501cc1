"""A whole message as bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.contracts import Outgoing
from kernel.contracts.simple import pack, unpack
from kernel.errors import Code, DriverError

TEXT = st.text(st.characters() | st.just("\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXT, parts, max_size=3),
    max_leaves=8,
)


@given(st.binary(), st.dictionaries(TEXT, VALUES, max_size=4), TEXT)
@settings(max_examples=80, deadline=None)
def test_every_message_comes_back(body, headers, text):
    item = Outgoing(text, body, headers, text, priority=3, delay_s=0.5, group=text, properties=headers)
    assert unpack(pack(item)) == item


def test_nothing_a_caller_sends_looks_like_our_marks():
    headers = {"x": {"\x00b": "AAAA"}, "\x00d": [["a", 1]]}
    assert unpack(pack(Outgoing("q", b"\n\n", headers, "1"))).headers == headers


@pytest.mark.parametrize("headers", [{"x": object()}, {1: 2}, {"x": {2: 3}}])
def test_what_no_header_can_hold(headers):
    with pytest.raises(DriverError) as caught:
        pack(Outgoing("q", b"", headers, "1"))
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    "data", [b"", b"x", b"{}", b"{}\n", b"[]\nx", b'{"queue":1,"oh":2}\n', b"\xff\n", b"[" * 9999 + b"\n"]
)
def test_damage(data):
    with pytest.raises(DriverError) as caught:
        unpack(data)
    assert caught.value.code is Code.CORRUPT
