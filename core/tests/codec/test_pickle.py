"""pickle: carries everything, trusts the sender, and still fails with one kind of error."""

import dataclasses
import pickle
import random
from decimal import Decimal

import pytest

from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.builtins.serializers.plugin import json_plugin, pickle_plugin
from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError, EncodeError

PICKLE = PickleSerializer()
LIMITS = DecodeLimits()


def test_declarations():
    assert (PICKLE.safe, PICKLE.canonical) == (False, False)
    assert [plugin.kernel_manifest().name for plugin in (json_plugin, pickle_plugin)] == [
        "serializer.json",
        "serializer.pickle",
    ]
    assert [plugin.kernel_serializers()[0].name for plugin in (json_plugin, pickle_plugin)] == ["json", "pickle"]


def test_keeps_everything():
    value = [(1, {2: {3}}), Decimal("1.0"), float("inf"), "\ud800", bytearray(b"x"), 10**5000, None]
    for wrap in (bytes, bytearray, memoryview):
        assert PICKLE.loads(wrap(PICKLE.dumps(value)), LIMITS) == value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([[1, {"on": lambda: 1}], {}, {}], "args[1].on: pickle cannot carry it: function: "),
        ({"a": [(x for x in ())]}, "value.a[0]: pickle cannot carry it: generator: "),
    ],
)
def test_names_the_place(value, path):
    with pytest.raises(EncodeError) as caught:
        PICKLE.dumps(value)
    assert path in str(caught.value)


def test_an_object_that_raises_on_the_way_out_or_in():
    with pytest.raises(EncodeError, match="value: pickle cannot carry it: Sly: "):
        PICKLE.dumps(Sly("dumps"))
    with pytest.raises(DecodeError, match="RuntimeError: not here"):
        PICKLE.loads(PICKLE.dumps(Sly("loads")), LIMITS)


def refuse():
    raise RuntimeError("not here")


@dataclasses.dataclass
class Sly:
    when: str

    def __reduce__(self):
        if self.when == "dumps":
            refuse()
        return refuse, ()


def test_nesting_without_end():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(EncodeError, match="nests too deep"):
        PICKLE.dumps(value)


def test_one_pickle_within_the_limit():
    data = PICKLE.dumps([1, 2, 3])
    for wrong in (b"", data[:-1], data + b"x", data + data, b"junk", b"\x80\x04.", b"cno_module\nx\n."):
        with pytest.raises(DecodeError):
            PICKLE.loads(wrong, LIMITS)
    with pytest.raises(DecodeError, match="above the limit"):
        PICKLE.loads(data, DecodeLimits(max_bytes=len(data) - 1))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert PICKLE.loads(pickle.dumps({"a": (1,)}, protocol), LIMITS) == {"a": (1,)}


def test_truncation_is_a_decode_error():
    data = PICKLE.dumps([[random.Random(1).random(), "two", (3,)], {"k": b"v"}, None])
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            PICKLE.loads(data[:end], LIMITS)
