"""Rows of values such that every two values of different factors meet in at least one row."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

Row = Mapping[str, str]
Pair = frozenset[tuple[str, str]]
Allowed = Callable[[Row], bool]
"""Whether values may stand in one row; also asked of a part of a row."""


def pairs_of(factors: Mapping[str, Sequence[str]]) -> Iterator[Pair]:
    """Every two values of different factors, in the order of the factors."""
    for (one, ones), (other, others) in combinations(factors.items(), 2):
        for value in ones:
            for second in others:
                yield frozenset({(one, value), (other, second)})


def met(rows: Sequence[Row]) -> set[Pair]:
    """The pairs that meet in these rows."""
    return {frozenset(pair) for row in rows for pair in combinations(row.items(), 2)}


def covering(factors: Mapping[str, Sequence[str]], allowed: Allowed = lambda row: True) -> list[dict[str, str]]:
    """Few rows in which every two values meet that may stand in one row at all; the same ones every time.

    Each row begins with a pair that has not met yet, and takes for every other factor the value that brings most new
    pairs with it; of equal ones that which stands in the fewest rows.
    """
    search = _Search(factors, allowed)
    search.wanted = {pair: None for pair in pairs_of(factors) if search.complete(dict(pair)) is not None}
    rows: list[dict[str, str]] = []
    while search.wanted:
        row = search.complete(dict(next(iter(search.wanted))))
        assert row is not None, "a pair that was possible a moment ago"
        rows.append({name: row[name] for name in factors})
        search.used.update(row.items())
        for pair in met([row]):
            search.wanted.pop(pair, None)
    return rows


class _Search:
    """Completes rows.

    Attributes:
        wanted: pairs that have not met yet.
        used: how often each value of a factor stands in a row.
    """

    def __init__(self, factors: Mapping[str, Sequence[str]], allowed: Allowed) -> None:
        self._factors = factors
        self._allowed = allowed
        self.wanted: dict[Pair, None] = {}
        self.used: Counter[tuple[str, str]] = Counter()

    def complete(self, row: dict[str, str]) -> dict[str, str] | None:
        """The row with all factors; None when there is no way."""
        if not self._allowed(row):
            return None
        missing = [name for name in self._factors if name not in row]
        if not missing:
            return row
        return next(
            filter(None, (self.complete({**row, **dict([item])}) for item in self._best(missing[0], row))), None
        )

    def _best(self, name: str, row: Row) -> list[tuple[str, str]]:
        """The values of a factor, the most useful first."""

        def rank(item: tuple[str, str]) -> tuple[int, int]:
            return -sum(frozenset({item, other}) in self.wanted for other in row.items()), self.used[item]

        return sorted(((name, value) for value in self._factors[name]), key=rank)
