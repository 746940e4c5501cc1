"""The fields of a crontab: what may be written, and the numbers it stands for (features.md 2.3)."""

import re
from collections.abc import Iterable
from typing import TypeAlias

Cronspec: TypeAlias = int | str | Iterable[int]
"""One field as a user writes it: a number, text such as ``"*/15"`` or ``"mon-fri"``, or the numbers themselves."""

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORTEST_NAME = 3
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?P<slash>/(?P<step>\w*))?")
_RANGE_OF_ONE = "*"


class ParseException(Exception):
    """The text of a crontab's field is of no known form."""


class crontab_parser:  # noqa: N801 - the name users of the calling API know
    """Turns the text of one field into numbers.

    A field is a list of parts with commas between; a part is ``*``, a number, a name of a weekday or month, or a range
    ``first-last``, which may wrap around (``fri-mon``); ``/n`` after ``*`` or a range takes every n-th of it.

    Args:
        max_: how many values the field has.
        min_: the first of them; the last is ``max_ + min_ - 1``.
    """

    ParseException = ParseException

    def __init__(self, max_: int = 60, min_: int = 0) -> None:
        self.max_ = max_
        self.min_ = min_

    def parse(self, spec: str) -> set[int]:
        """The numbers that ``spec`` stands for.

        Raises:
            ParseException: for text of another form.
            ValueError: for a number outside the field, or a name that is neither weekday nor month.
        """
        return {number for part in spec.split(",") for number in self._part(part.strip(), spec)}

    def _part(self, part: str, spec: str) -> list[int]:
        found = _PART.fullmatch(part)
        if found is None or (found["first"] == _RANGE_OF_ONE and found["last"]):
            raise ParseException(f"{part!r} in {spec!r} is no part of a crontab, such as '*/5', '1-4', 'mon' or '7'")
        numbers = self._range(found["first"], found["last"])
        if found["slash"] is None:
            return numbers
        if found["first"] != _RANGE_OF_ONE and not found["last"]:
            raise ParseException(f"{part!r} in {spec!r}: a step follows '*' or a range, as in '{found['first']}-…/2'")
        return numbers[:: _step(found["step"], spec)]

    def _range(self, first: str, last: str | None) -> list[int]:
        end = self.min_ + self.max_
        if first == _RANGE_OF_ONE:
            return list(range(self.min_, end))
        start = self._number(first)
        if not last:
            return [start]
        stop = self._number(last)
        if stop >= start:
            return list(range(start, stop + 1))
        return [*range(start, end), *range(self.min_, stop + 1)]

    def _number(self, text: str) -> int:
        number = int(text) if text.isdecimal() else _named(text.lower())
        if number is None:
            raise ValueError(f"{text!r} is no number and no name of a weekday or month")
        return _checked(number, self.max_, self.min_)


def expand(spec: Cronspec | None, max_: int, min_: int = 0) -> frozenset[int]:
    """The numbers a field stands for; None is every one.

    Args:
        spec: as the user wrote it.
        max_: how many values the field has.
        min_: the first of them.

    Raises:
        ParseException: for text of an unknown form.
        ValueError: for a number outside the field, or no number at all.
        TypeError: for another type.
    """
    match spec:
        case None:
            numbers = frozenset(range(min_, min_ + max_))
        case bool():
            raise TypeError(f"a field of a crontab is a number, text or numbers, not {spec!r}")
        case int():
            numbers = frozenset({spec})
        case str():
            numbers = frozenset(crontab_parser(max_, min_).parse(spec))
        case Iterable():
            numbers = frozenset(spec)
        case _:
            raise TypeError(f"a field of a crontab is a number, text or numbers, not {spec!r} ({type(spec).__name__})")
    if not numbers:
        raise ValueError("a field of a crontab without any number never comes true")
    return frozenset(_checked(number, max_, min_) for number in numbers)


def _named(text: str) -> int | None:
    """The number of a weekday or month, from three letters of its name on."""
    if len(text) < _SHORTEST_NAME:
        return None
    for names, first in ((_WEEKDAYS, 0), (_MONTHS, 1)):
        for number, name in enumerate(names, start=first):
            if name.startswith(text):
                return number
    return None


def _checked(number: int, max_: int, min_: int) -> int:
    last = min_ + max_ - 1
    if isinstance(number, bool) or not isinstance(number, int) or not min_ <= number <= last:
        raise ValueError(f"a number from {min_} to {last} was expected in this field of the crontab, not {number!r}")
    return number


def _step(text: str | None, spec: str) -> int:
    if not text or not text.isdecimal() or int(text) == 0:
        raise ParseException(f"{spec!r}: the step after '/' is a number from 1, not {text or ''!r}")
    return int(text)
