"""The letter box of a client: what it keeps, for whom, and how long."""

import threading

import pytest

from kernel.contracts import Deadline, Record
from kernel.errors import Code, DriverError
from kernel.runtime import mailbox as module
from kernel.runtime.mailbox import Mailbox


def box(*ids, **options):
    made = Mailbox(**options)
    made.expect(ids)
    return made


def now():
    return Deadline.after(0)


def status(found):
    return [one and one.status for one in found]


def test_every_mailbox_has_an_address_of_its_own():
    assert len({Mailbox().oid for _ in range(100)}) == 100


def test_the_last_state_is_given_and_all_of_them_to_who_follows():
    made = box("a")
    assert made.fetch(["a"]) == [None]
    made.put([Record("a", "STARTED"), Record("a", "P", b"1")])
    made.put([Record("a", "P", b"2"), Record("a", "SUCCESS", b"3")])
    assert status(made.fetch(["a", "a"])) == ["SUCCESS", "SUCCESS"]
    assert status(made.follow("a", 0, now())) == ["STARTED", "P", "P", "SUCCESS"]
    assert [one.result for one in made.follow("a", 2, now())] == [b"2", b"3"]
    assert made.follow("a", 4, now()) == []


@pytest.mark.parametrize(
    ("arrived", "stays"),
    [
        (["SUCCESS", "STARTED"], ["SUCCESS"]),
        (["SUCCESS", "FAILURE"], ["SUCCESS"]),
        (["FAILURE", "STARTED"], ["FAILURE"]),
        (["FAILURE", "SUCCESS"], ["FAILURE", "SUCCESS"]),
        (["RETRY", "STARTED", "SUCCESS"], ["RETRY", "STARTED", "SUCCESS"]),
        (["STARTED", "STARTED"], ["STARTED"]),
    ],
)
def test_what_comes_late_or_twice_changes_nothing(arrived, stays):
    made = box("a")
    made.put([Record("a", each) for each in arrived])
    assert status(made.follow("a", 0, now())) == stays


def test_who_waits_is_woken_by_the_last_one_needed():
    made = box("a", "b", "c")
    found = []
    thread = threading.Thread(target=lambda: found.extend(made.wait(["a", "b", "c"], 2, Deadline.after(30))))
    thread.start()
    made.put([Record("c", "SUCCESS")])
    made.put([Record("a", "STARTED")])
    made.put([Record("a", "FAILURE")])
    thread.join(30)
    assert [one.id for one in found] == ["a", "c"]


def test_a_wait_ends_with_its_deadline_and_gives_what_is_there():
    made = box("a", "b")
    made.put([Record("b", "SUCCESS")])
    assert [one.id for one in made.wait(["a", "b"], 2, Deadline.after(0.02))] == ["b"]


def test_who_waits_is_told_when_nothing_can_come():
    made = box("a")
    made.fail(made.begin(), DriverError(Code.AUTH, "refused"))
    with pytest.raises(DriverError, match="refused"):
        made.wait(["a"], 1, Deadline.after(30))
    made.put([Record("a", "SUCCESS")])
    assert status(made.wait(["a"], 1, Deadline.after(30))) == ["SUCCESS"]


def test_a_result_that_goes_elsewhere_is_a_typed_error():
    made = box("a")
    for ask in (made.fetch, lambda ids: made.wait(ids, 1, Deadline.after(30))):
        with pytest.raises(DriverError, match="does not come to this process") as caught:
            ask(["b"])
        assert caught.value.code is Code.NOT_FOUND


def test_what_came_unasked_is_given_all_the_same():
    made = box()
    made.put([Record("b", "SUCCESS")])
    assert status(made.fetch(["b"])) == ["SUCCESS"]


def test_beyond_the_limit_what_was_read_goes_first(caplog):
    made = box(*"abcd", limit=2)
    made.put([Record("a", "SUCCESS"), Record("b", "SUCCESS")])
    assert not made.has_room
    made.fetch(["b"])
    assert made.has_room
    made.put([Record("c", "SUCCESS")])
    assert status(made.fetch(["a", "c"])) == ["SUCCESS", "SUCCESS"]
    assert made.fetch(["b"]) == [None]
    assert not caplog.records


def test_what_nobody_read_goes_last_with_a_warning_and_a_typed_error(caplog):
    made = box(*"abc", limit=2)
    made.put([Record(each, "SUCCESS") for each in "abc"])
    with pytest.raises(DriverError, match="does not come"):
        made.fetch(["a"])
    assert status(made.fetch(["b", "c"])) == ["SUCCESS", "SUCCESS"]
    assert "the oldest are forgotten" in caplog.text


def test_somebody_who_waits_makes_room_and_is_never_forgotten():
    made = box(*"abcd", limit=1)
    found = []
    thread = threading.Thread(target=lambda: found.extend(made.wait(["a", "d"], 2, Deadline.after(30))))
    thread.start()
    while not made._awaited:
        pass
    for each in "abcd":
        assert made.has_room
        made.put([Record(each, "SUCCESS")])
    thread.join(30)
    assert [one.id for one in found] == ["a", "d"]


def test_results_are_forgotten_when_they_are_told_to_and_after_their_time(monkeypatch):
    made = box("a", "b", ttl_s=60)
    made.put([Record("a", "SUCCESS"), Record("b", "SUCCESS")])
    assert made.forget(["a", "x"]) == 1
    assert made.fetch(["a"]) == [None]
    real = module.time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: real() + 61)
    made.put([Record("c", "SUCCESS")])
    assert made.fetch(["b"]) == [None]


def test_only_so_many_states_of_one_task_are_kept(monkeypatch):
    monkeypatch.setattr(module, "_HISTORY", 3)
    made = box("a")
    made.put([Record("a", "P", b"%d" % n) for n in range(5)])
    assert [one.result for one in made.follow("a", 0, now())] == [b"2", b"3", b"4"]
    assert [one.result for one in made.follow("a", 4, now())] == [b"4"]


def test_who_sent_too_much_to_remember_waits_instead_of_being_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_EXPECTED", 2)
    made = box("a", "b", "c")
    assert made.fetch(["a", "c"]) == [None, None]
    assert not made.settled


def test_it_is_settled_when_every_task_has_answered():
    made = box("a", "b")
    made.put([Record("a", "STARTED"), Record("b", "FAILURE")])
    assert not made.settled
    made.put([Record("a", "SUCCESS")])
    assert made.settled
    made.expect(["c"])
    made.forget(["c"])
    assert made.settled


def test_a_reader_that_gives_up_late_says_nothing_of_the_one_that_reads_now():
    made = box("a")
    old, _ = made.begin(), made.begin()
    made.fail(old, DriverError(Code.AUTH, "refused"))
    assert made.wait(["a"], 1, Deadline.after(0.01)) == []
