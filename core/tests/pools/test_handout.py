"""The hand-out policy, alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.builtins.pools.handout import Estimates, Load

HANDOUT = 0.02


def short(estimates: Estimates, task: str = "t", seconds: float = 0.0001) -> None:
    for _ in range(100):
        estimates.observe(task, seconds)


def test_an_unknown_task_counts_as_long() -> None:
    estimates = Estimates(HANDOUT)
    load = Load(estimates)
    assert estimates.cost("t") == HANDOUT
    assert load.room() == 1
    assert load.accepts("t")
    load.add(1, "t")
    assert not load.accepts("t")
    assert load.room() == 0


def test_short_tasks_queue_up_to_the_time_of_a_handout() -> None:
    estimates = Estimates(HANDOUT)
    short(estimates, seconds=0.001)
    load = Load(estimates)
    tag = 0
    while load.accepts("t"):
        load.add(tag, "t")
        tag += 1
    assert 15 <= tag <= 20
    assert load.seconds <= HANDOUT
    assert load.room() == 0


def test_very_short_tasks_are_bounded_in_number() -> None:
    estimates = Estimates(HANDOUT)
    short(estimates, seconds=0.0)
    load = Load(estimates, most=64)
    assert load.room() == 64
    for tag in range(64):
        assert load.accepts("t")
        load.add(tag, "t")
    assert not load.accepts("t")
    assert load.room() == 0


def test_nothing_waits_behind_a_long_task() -> None:
    estimates = Estimates(HANDOUT)
    short(estimates)
    load = Load(estimates)
    load.add(1, "unknown")
    assert not load.accepts("t")
    assert load.room() == 0


def test_a_long_task_does_not_wait_behind_short_ones() -> None:
    estimates = Estimates(HANDOUT)
    short(estimates)
    load = Load(estimates)
    load.add(1, "t")
    assert load.accepts("t")
    assert not load.accepts("unknown")


def test_one_slow_run_makes_a_task_long_and_many_fast_ones_short_again() -> None:
    estimates = Estimates(HANDOUT)
    short(estimates)
    assert estimates.short("t")
    estimates.observe("t", 10.0)
    assert not estimates.short("t")
    short(estimates)
    assert estimates.short("t")


def test_removal_frees_the_place() -> None:
    estimates = Estimates(HANDOUT)
    load = Load(estimates)
    load.add(1, "t")
    assert load.holds(1)
    assert load.remove(1) == "t"
    assert load.remove(1) is None
    assert load.room() == 1
    assert load.seconds == 0.0


def test_free_lanes_take_one_each_whatever_the_task() -> None:
    load = Load(Estimates(HANDOUT), lanes=3)
    for tag in range(3):
        assert load.room() == 3 - tag
        assert load.accepts(f"unknown-{tag}")
        load.add(tag, f"unknown-{tag}")
    assert load.room() == 0


def test_names_do_not_grow_without_bound() -> None:
    estimates = Estimates(HANDOUT)
    for number in range(10_000):
        estimates.observe(f"t{number}", 0.001)
    assert len(estimates._of) <= 4096


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=50), st.integers(1, 4))
def test_room_is_never_negative_and_an_empty_place_always_takes_one(runs: list[tuple[str, float]], lanes: int) -> None:
    estimates = Estimates(HANDOUT)
    load = Load(estimates, lanes=lanes, most=8)
    for tag, (task, seconds) in enumerate(runs):
        assert load.room() >= (1 if len(load) < lanes else 0)
        if load.accepts(task):
            load.add(tag, task)
        elif load.tags():
            load.remove(load.tags()[0])
        estimates.observe(task, seconds)
        assert len(load) <= 8 * lanes
        assert load.seconds == pytest.approx(sum(cost for _, cost in load._held.values()))
