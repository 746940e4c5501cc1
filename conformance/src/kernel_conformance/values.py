"""Values a serializer is asked to carry: samples of every declared kind, and strategies that draw more."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


class Colour(Enum):
    """An enumeration whose members are no plain values."""

    RED = "red"


class Size(IntEnum):
    """One whose members look like ints."""

    BIG = 3


class Fruit(StrEnum):
    """One whose members look like strs."""

    PEAR = "pear"


class Opaque:
    """An object that nothing can know how to carry; it compares by its content."""

    def __init__(self, content: object = None) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.content == self.content

    def __hash__(self) -> int:
        return hash(Opaque)


class Unpicklable:
    """An object that refuses every way of being carried."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("this object stays where it is")


_ODD = timezone(timedelta(hours=5, minutes=53, seconds=28))

SAMPLES: Final[Mapping[str, tuple[Any, ...]]] = {
    "bytes": (b"", b"\x00", b"plain", "ü".encode(), bytes(range(256)), b"\xff" * 1000),
    "datetime": (
        datetime(2026, 11, 21, 10, 30),  # noqa: DTZ001 - naive ones are to be kept naive
        datetime(2026, 11, 21, 10, 30, 59, 123456, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        datetime(2026, 2, 28, 23, 59, 59, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(2026, 2, 28, 1, 2, 3, tzinfo=_ODD),
        datetime(1, 1, 1),  # noqa: DTZ001 - naive
        datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - naive
    ),
    "date": (date(2026, 11, 21), date.min, date.max),
    "time": (time(10, 30), time(23, 59, 59, 999999), time(1, 2, tzinfo=UTC)),
    "decimal": (Decimal("1.10"), Decimal("-0"), Decimal("1E+30"), Decimal("0.000000000000000000000000000001")),
    "uuid": (UUID(int=0), UUID("12345678-1234-5678-9234-567812345678")),
    "set": ({1, 2, 3}, set(), frozenset({"a"}), {"alpha", "beta", "gamma", "delta", "epsilon"}),
    "tuple": ((), (1, "a"), ((1,), [(2,)])),
    "bigint": (2**63, -(2**63) - 1, 2**64, 10**40, -(10**300)),
    "nan": (float("nan"), float("inf"), float("-inf")),
    "nonstr_keys": ({1: "one"}, {None: 0}, {True: 1}, {2.5: "x"}, {(1, 2): 3}),
    "any": (Colour.RED, Size.BIG, Fruit.PEAR, Opaque([1, 2]), range(3), complex(1, 2)),
}
"""Kind in ``Serializer.types`` → values that a serializer with that kind keeps exactly."""

LOOKALIKES: Final = (
    "no", "No", "yes", "on", "off", "y", "n", "true", "True", "null", "Null", "~", "", " ", "1", "-1", "+1", "1.0",
    "1.", ".5", "1e3", "1_000", "0o7", "07", "0x1F", "0b1", "1:30", "1:30:30.5", "190:20:30", ".inf", "-.INF", ".nan",
    "NaN", "Infinity", "2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00", "<<", "=", "*a", "&a", "!tag",
    "!!int 3", "%YAML", "---", "...", "- a", "a: b", "a #b", "? a", "|", ">", "@a", "`a", "{", "}", "[", "]", ",", '"',
    "'", "\\", "\\u0041", "\\", "</script>", "&amp;", "%00", "b'x'", "None", "undefined",
)  # fmt: skip
"""Strings that some format reads as something else."""

TEXTS: Final = (
    "\x00", "a\x00b", "\ufeff", "\ufeffa", "a\x85b", "\u2028", "\u2029", "\U0001f600", "\U0010ffff", "\uffff", "\ufffe",
    "e\u0301", "\u00e9", "\u200b", "\u202e", "\r", "\n", "\r\n", "\t", " a ", "a\n", "\n\n", "\x1b[0m", "\x7f", "\x80",
    "\x9f", "\xa0", "ﬀ", "日本語", "a" * 5000, "ab " * 500, "x\n  y\n z",
)  # fmt: skip
"""Strings with characters that get lost, folded or normalized on the way."""

INTS: Final = (0, 1, -1, 2**31, -(2**31), 2**53, -(2**53), 2**53 + 1, 2**63 - 1, -(2**63))
FLOATS: Final = (0.0, -0.0, 0.1, 1 / 3, 1e16, 1e22, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, -1.5, 1e-7)

_KEYS = st.text(max_size=8)
_LEAVES: Mapping[str, SearchStrategy[Any]] = {
    "bytes": st.binary(max_size=30),
    "datetime": st.datetimes(timezones=st.none() | st.just(UTC) | st.just(_ODD)),
    "date": st.dates(),
    "time": st.times(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "uuid": st.uuids(),
    "bigint": st.integers(),
    "nan": st.just(float("nan")) | st.just(float("inf")) | st.just(float("-inf")),
}


def plain_values() -> SearchStrategy[Any]:
    """Values that every serializer keeps."""
    return _nested(_plain_leaves())


def values_of(types: frozenset[str]) -> SearchStrategy[Any]:
    """Values of the plain kinds and of the declared ones."""
    return _nested(st.one_of(_plain_leaves(), *(_LEAVES[kind] for kind in sorted(types & _LEAVES.keys()))))


def _plain_leaves() -> SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=30),
        st.sampled_from(LOOKALIKES),
    )


def _nested(leaves: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_KEYS, inner, max_size=5),
        max_leaves=15,
    )
