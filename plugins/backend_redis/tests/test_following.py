"""Every state of a task reaches who follows it, in order, also those that are replaced at once."""

import threading
import time

import pytest

from kernel import Kernel
from kernel.contracts import Deadline, Record, StoreMode
from kernel.errors import DriverError
from kernel.testing import start_worker


def soon(seconds=10.0):
    return Deadline.after(seconds)


def put(backend, *records):
    backend.store(records, StoreMode.UPSERT, soon())


def followed(backend, task_id, until="SUCCESS"):
    seen = []
    while not seen or seen[-1].status != until:
        new = backend.follow(task_id, seen, soon())
        assert new, f"only {[one.status for one in seen]}"
        seen += new
    return [(one.status, one.result) for one in seen]


def test_states_replaced_at_once_are_all_told(site):
    backend, other = site.backend(), site.backend()
    put(other, Record("t", "STARTED"))
    [first] = backend.follow("t", [], soon())
    assert first.status == "STARTED"
    put(other, *[Record("t", "PROGRESS", b"%d" % number) for number in range(20)], Record("t", "SUCCESS", b"9"))
    seen = [first]
    while not seen[-1].ready:
        seen += backend.follow("t", seen, soon())
    assert [one.result for one in seen[1:]] == [b"%d" % number for number in range(20)] + [b"9"]


def test_what_is_there_already_is_told_once(site):
    backend = site.backend()
    put(backend, Record("t", "SUCCESS", b"1"))
    assert followed(backend, "t") == [("SUCCESS", b"1")]
    assert followed(backend, "t") == [("SUCCESS", b"1")]


def test_the_deadline_ends_it_and_the_next_call_goes_on(site):
    backend, other = site.backend(), site.backend()
    began = time.monotonic()
    assert backend.follow("t", [], Deadline.after(0.3)) == []
    assert 0.25 < time.monotonic() - began < 3
    put(other, Record("another", "SUCCESS"), Record("t", "STARTED"), Record("t", "SUCCESS"))
    assert backend.follow("another", [], soon())[0].ready
    assert followed(backend, "t")[-1][0] == "SUCCESS"


def test_threads_follow_beside_each_other(site):
    backend, other = site.backend(), site.backend()
    found = {}
    threads = [
        threading.Thread(target=lambda one=one: found.update({one: followed(backend, one)}))
        for one in map(str, range(6))
    ]
    for thread in threads:
        thread.start()
    for one in map(str, range(6)):
        put(other, Record(one, "STARTED"), Record(one, "SUCCESS", one.encode()))
    for thread in threads:
        thread.join(20)
    assert {one: states[-1] for one, states in found.items()} == {str(n): ("SUCCESS", b"%d" % n) for n in range(6)}


def test_a_lost_connection_is_an_error_and_then_read_again(site):
    backend, other = site.backend(), site.backend()
    assert backend.follow("t", [], Deadline.after(0.05)) == []
    site.ask("CLIENT", "KILL", "TYPE", "pubsub")
    put(other, Record("t", "SUCCESS", b"1"))
    with pytest.raises(DriverError):
        backend.follow("t", [], soon())
    assert followed(backend, "t") == [("SUCCESS", b"1")]


def test_on_message_is_told_every_state(site, tmp_path):
    app = Kernel("proj", broker=f"sqlite:///{tmp_path}/jobs.sqlite3", backend=site.url, set_as_current=False)

    @app.task(bind=True)
    def count(self):
        for number in range(10):
            self.update_state(state="PROGRESS", meta=number)
        return "done"

    with app, start_worker(app):
        result = count.apply_async(countdown=1)
        told = []
        assert result.get(timeout=30, on_message=told.append) == "done"
    assert [one["result"] for one in told if one["status"] == "PROGRESS"] == list(range(10))
