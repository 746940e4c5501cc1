"""The generator of the matrix: nothing is left out, nothing forbidden is in, and the rows are few."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .pairwise import covering, met, pairs_of

FACTORS = st.lists(st.integers(1, 5), min_size=2, max_size=5).map(
    lambda sizes: {f"f{n}": [f"v{n}{value}" for value in range(size)] for n, size in enumerate(sizes)}
)


@given(FACTORS)
@settings(max_examples=60, deadline=None)
def test_every_two_values_meet(factors):
    rows = covering(factors)
    assert set(pairs_of(factors)) <= met(rows)
    assert all(set(row) == set(factors) for row in rows)
    sizes = sorted(map(len, factors.values()))
    assert len(rows) <= 2 * sizes[-1] * sizes[-2] + 2
    assert rows == covering(factors)


@given(FACTORS, st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_forbidden_does_not_meet_and_all_else_does(factors, data):
    forbidden = data.draw(st.sets(st.sampled_from(sorted(pairs_of(factors), key=sorted)), max_size=4))
    rows = covering(factors, lambda row: not any(pair <= set(row.items()) for pair in forbidden))
    assert not met(rows) & forbidden
    if len(factors) == 2:
        assert met(rows) == set(pairs_of(factors)) - forbidden


def test_a_pair_that_only_fits_with_one_third_value_is_found():
    factors = {"a": ["1", "2"], "b": ["1", "2"], "c": ["1", "2", "3"]}
    rows = covering(factors, lambda row: (row.get("a"), row.get("b")) != ("1", "1") or row.get("c", "3") == "3")
    assert {"a": "1", "b": "1", "c": "3"} in rows


@pytest.mark.parametrize("factors", [{"a": ["x"]}, {}])
def test_without_pairs_there_are_no_rows(factors):
    assert covering(factors) == []
