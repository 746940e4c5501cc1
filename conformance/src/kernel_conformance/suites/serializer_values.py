"""Serializers: which values come back, and that the others are refused instead of changed."""

from typing import Any

from kernel.errors import EncodeError
from kernel_conformance.cases import case
from kernel_conformance.sameness import same
from kernel_conformance.suites.serializer_base import SerializerSuite
from kernel_conformance.values import (
    FLOATS,
    INTS,
    LOOKALIKES,
    SAMPLES,
    TEXTS,
    Colour,
    Fruit,
    Size,
    plain_values,
    values_of,
)

_PLAIN: tuple[Any, ...] = (
    None, True, False, 0, 1, 1.0, "", "a", [], {}, [[]], {"": {}}, [None, True, 1, 1.0, "1", [], {}],
)  # fmt: skip


class SerializerValues(SerializerSuite):
    """Kept exactly, or refused."""

    @case("SER-003")
    def plain_kinds(self) -> None:
        """None, bool, int, float, str, list and dict come back equal and of the same types, also empty and nested.

        Broken by: formats without a None or without empty containers, and bool read back as int.
        """
        for value in _PLAIN:
            self.keeps(value)
        self.keeps([["x", 1], {"retries": 3, "flag": False}, {"callbacks": None, "chain": [{"task": "a", "args": []}]}])

    @case("SER-004", proves=("bigint",))
    def integers(self) -> None:
        """Integers up to ±2^63 are exact; larger ones are exact where ``bigint`` is declared and else refused.

        Broken by: numbers that pass through a double, and formats whose integers have 64 bits.
        """
        for value in INTS:
            self.keeps(value)
        for large in SAMPLES["bigint"]:
            kept = self.keeps_or_refuses([large])
            assert kept or "bigint" not in self.subject.types, f"bigint is declared, and {large!r:.80} was refused"

    @case("SER-005", proves=("nan",))
    def floats(self) -> None:
        """Floats come back bit for bit, with -0.0 and subnormal ones; inf and nan are exact or refused.

        Broken by: formatting with %g or fixed digits, whole floats read back as int, nan written as null.
        """
        for value in FLOATS:
            self.keeps([value])
        for odd in SAMPLES["nan"]:
            kept = self.keeps_or_refuses([odd])
            assert kept or "nan" not in self.subject.types, f"nan is declared, and {odd!r} was refused"

    @case("SER-006")
    def text(self) -> None:
        """Text comes back character for character. NUL, BOM, U+0085, U+2028, astral, control and combining characters,
        line ends, as a value and as a key; a lone surrogate is kept or refused.

        Broken by: line breaks that are normalized or folded, Unicode normalization, and byte order marks removed.
        """
        for value in TEXTS:
            self.keeps(value)
            self.keeps([value, {value: value}])
        for lone in ("\ud800", "a\udcffb", {"\udfff": 1}):
            self.keeps_or_refuses([lone])

    @case("SER-007")
    def lookalikes(self) -> None:
        """Strings that look like numbers, booleans, dates or syntax stay strings, as values and as keys.

        Broken by: plain scalars that are resolved by their looks: no, ~, 1:30, 0o7, 1e3, 2024-01-01, <<.
        """
        self.keeps(list(LOOKALIKES))
        self.keeps({text: text for text in LOOKALIKES})
        for text in LOOKALIKES:
            self.keeps(text)

    @case("SER-008", needs=("bytes",))
    def binary(self) -> None:
        """Bytes come back as bytes, whatever they are, beside strings of the same content.

        Broken by: base64 that comes back as text, and bytes that happen to be UTF-8 read back as str.
        """
        for value in SAMPLES["bytes"]:
            self.keeps(value)
            self.keeps({"a": [value, value.decode("latin-1")]})

    @case("SER-009", needs=("datetime",))
    def datetimes(self) -> None:
        """A datetime keeps microseconds and its offset, naive stays naive; so do date and time where declared.

        Broken by: conversion to UTC, offsets with minutes or seconds, truncation to milliseconds, dates as datetimes.
        """
        for kind in sorted({"datetime", "date", "time"} & self.subject.types):
            for value in SAMPLES[kind]:
                self.keeps([value])

    @case("SER-010", proves=("date", "time", "decimal", "uuid", "set", "any"))
    def other_kinds(self) -> None:
        """Bytes, dates, Decimal, UUID, set, Enum members and any object: kept where declared, else kept or refused.

        Broken by: a ``default=str`` somewhere, and members of IntEnum and StrEnum that come back as int and str.
        """
        for kind, samples in SAMPLES.items():
            if kind in {"tuple", "nonstr_keys"}:
                continue
            declared = kind in self.subject.types
            for value in samples:
                kept = self.keeps_or_refuses([value])
                assert kept or not declared, f"{kind} is declared, and {value!r:.80} was refused"
                if kept and not declared and kind != "any":
                    self.works.add(kind)
        for value in (Colour.RED, Size.BIG, Fruit.PEAR, {"a": Size.BIG}):
            self.keeps_or_refuses([value])

    @case("SER-011", proves=("tuple",))
    def tuples(self) -> None:
        """A tuple stays a tuple where ``tuple`` is declared; else it becomes a list of the same members, or is
        refused.

        Broken by: tuples inside other containers, and empty ones.
        """
        for value in SAMPLES["tuple"]:
            if "tuple" in self.subject.types:
                self.keeps([value, {"t": value}])
                continue
            try:
                found = self.trip([value])
            except EncodeError:
                continue
            assert same(found, [_as_list(value)]), f"{value!r} became {found!r}"

    @case("SER-012", proves=("nonstr_keys",))
    def keys(self) -> None:
        """Keys that are not str are kept where ``nonstr_keys`` is declared and else refused; never made strings.

        Broken by: json.dumps, which writes {1: 2} as {"1": 2}.
        """
        for value in SAMPLES["nonstr_keys"]:
            kept = self.keeps_or_refuses([value])
            assert kept or "nonstr_keys" not in self.subject.types, f"declared, and {value!r} was refused"
        self.keeps_or_refuses({Fruit.PEAR: 1})

    @case("SER-013")
    def key_order(self) -> None:
        """A dict comes back with its keys in their order, at every depth.

        Broken by: sort_keys, and readers that build sets on the way.
        """
        keys = [f"k{number}" for number in range(50)]
        self.random.shuffle(keys)
        value = {key: {"z": 1, "a": 2, "m": {"2": 0, "1": 0}} for key in keys}
        self.keeps(value)

    @case("SER-014")
    def property(self) -> None:
        """Whatever is made of the declared kinds comes back equal with equal types: 300 drawn values.

        Broken by: what nobody thought of; the smallest failing value is shown.
        """
        self.forall(plain_values(), self.keeps, examples=100)
        self.forall(values_of(self.subject.types), self.keeps, examples=200)


def _as_list(value: object) -> object:
    return [_as_list(item) for item in value] if isinstance(value, (list, tuple)) else value
