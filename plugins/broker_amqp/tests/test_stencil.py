"""Stencils: a table read under one is the table read in full, whatever came before and whatever the bytes are."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_broker_amqp import stencil
from plugin_broker_amqp.stencil import Stencils, stencil_of
from plugin_broker_amqp.table_reader import unpack_table
from plugin_broker_amqp.tables import BadTable, pack_table

ID = "0f8a9ab0-6d5f-4b0e-9c5e-1d5a54a1a3c5"
HEADERS: dict[str, Any] = {
    "lang": "py", "task": "proj.add", "id": ID, "shadow": None, "eta": None, "expires": None, "group": None,
    "group_index": None, "retries": 0, "timelimit": [None, 1.5], "root_id": ID, "parent_id": None, "argsrepr": "()",
    "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": False, "replaced_task_nesting": 0,
    "stamped_headers": None, "stamps": {"a": b"x"},
}  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CHANGES = st.dictionaries(
    st.sampled_from([*HEADERS, "mine"]),
    st.none() | TEXT | st.binary(max_size=5) | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False)
    | st.lists(TEXT | st.lists(TEXT, max_size=2), max_size=3) | st.dictionaries(TEXT, TEXT, max_size=2),
    max_size=4,
)  # fmt: skip


def typed(value: Any) -> Any:
    """A value together with its types: ``True == 1 == 1.0``."""
    if isinstance(value, dict):
        return {key: typed(part) for key, part in value.items()}
    return [typed(part) for part in value] if isinstance(value, list) else (type(value), value)


@settings(max_examples=300, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=6), st.binary(max_size=4))
def test_what_is_read_is_what_was_written(changes: list[dict[str, Any]], around: bytes) -> None:
    stencils = Stencils()
    for change in [{}, *changes, {}, *changes]:
        data = around + pack_table({**HEADERS, **change}) + around
        found, end = stencils.read(data, len(around))
        whole = unpack_table(data, len(around))
        assert (typed(found), list(found), end) == (typed(whole[0]), list(whole[0]), whole[1])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_damage_is_read_as_it_is_without_stencils(place: int, byte: int, length: int) -> None:
    stencils, data = Stencils(), bytearray(pack_table(HEADERS))
    stencils.read(bytes(data), 0)
    data[place % len(data)] = byte
    damaged = bytes(data[: max(4, len(data) - length % 40)])

    try:
        wanted = unpack_table(damaged)
    except BadTable:
        with pytest.raises(BadTable):
            stencils.read(damaged, 0)
    else:
        found = stencils.read(damaged, 0)
        assert (typed(found[0]), found[1]) == (typed(wanted[0]), wanted[1])


def test_a_stencil_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    stencils = Stencils()
    stencils.read(pack_table(HEADERS), 0)
    monkeypatch.setattr(stencil, "unpack_table", None)

    other = HEADERS | {"id": "other", "root_id": "r", "argsrepr": "('é',)", "origin": "gen2@elsewhere"}
    assert stencils.read(pack_table(other), 0)[0] == other


def test_what_can_be_changed_is_nobody_elses() -> None:
    stencils, data = Stencils(), pack_table(HEADERS)
    for _ in range(3):
        found, _ = stencils.read(data, 0)
        assert found == HEADERS
        found["timelimit"].append(1)
        found["stamps"]["b"] = 1
        found["more"] = 1


@pytest.mark.parametrize("value", [[[1]], {"a": {"b": 1}}, [{"a": 1}]])
def test_what_is_nested_has_no_stencil(value: object) -> None:
    table = copy.deepcopy(HEADERS) | {"mine": value}
    assert stencil_of(table, pack_table(table)[4:]) is None


def test_headers_that_never_repeat_are_not_learnt_for_ever() -> None:
    stencils = Stencils()
    for number in range(100):
        stencils.read(pack_table(HEADERS | {"mine": number}), 0)
    assert sum(map(len, stencils._known.values())) == stencil.MOST_STENCILS
    for number in range(3 * stencil.MOST_STARTS):
        stencils.read(pack_table(HEADERS | {"task": f"t{number}"}), 0)
    assert len(stencils._known) <= stencil.MOST_STARTS
