"""Waiting by looking: only what is missing, not past the deadline, and never a silent loss."""

import time

import pytest

from kernel.contracts import Deadline, Record
from kernel.contracts.polling import poll
from kernel.errors import Code, DriverError


class Store:
    """Answers each look with the next of its answers, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def look(self, ids, deadline):
        self.asked.append(list(ids))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, DriverError):
            if answer.code is Code.TIMEOUT:
                time.sleep(deadline.left())
            raise answer
        return [Record(one, "SUCCESS") if one in answer else None for one in ids]


def down(code=Code.UNAVAILABLE):
    return DriverError(code, "it does not answer")


def test_it_looks_only_for_what_is_missing():
    store = Store([], ["a"], ["b"])
    found = poll(store.look, ["b", "c", "a"], 2, Deadline.after(30))
    assert [one.id for one in found] == ["b", "a"]
    assert store.asked == [["b", "c", "a"], ["b", "c", "a"], ["b", "c"]]


def test_nothing_to_wait_for_is_one_look():
    store = Store([])
    assert poll(store.look, ["a"], 0, Deadline.after(30)) == []
    assert len(store.asked) == 1


def test_what_becomes_ready_in_the_last_pause_is_found():
    store = Store([])
    ends = Deadline.after(0.2)

    def pause(seconds):
        time.sleep(ends.left())
        store.answers = [["a"]]

    assert [one.id for one in poll(store.look, ["a"], 1, ends, pause)] == ["a"]


def test_a_deadline_that_has_passed_is_one_look():
    store = Store(["a"])
    assert [one.id for one in poll(store.look, ["a", "b"], 2, Deadline.after(-1))] == ["a"]
    assert len(store.asked) == 1


def test_what_a_look_comes_to_is_raised():
    with pytest.raises(DriverError):
        poll(Store([], down()).look, ["a"], 1, Deadline.after(30))


@pytest.mark.parametrize("code", [Code.TIMEOUT, Code.UNAVAILABLE])
def test_a_store_that_never_answered_is_an_error_at_the_deadline(code):
    began = time.monotonic()
    with pytest.raises(DriverError) as caught:
        poll(Store(down(code)).look, ["a"], 1, Deadline.after(0.2))
    assert caught.value.code is code
    assert time.monotonic() - began < 10


def test_a_store_that_answered_before_is_no_error_at_the_deadline():
    store = Store(["a"], down(Code.TIMEOUT))
    assert [one.id for one in poll(store.look, ["a", "b"], 2, Deadline.after(0.2))] == ["a"]
