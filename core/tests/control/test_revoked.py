"""Which tasks are not to run any more, and the file that keeps them."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from kernel.engine.admit import Revoked, Rules, Run, TaskRule, admit
from kernel.engine.revoked import RevokedTasks
from kernel.errors import ImproperlyConfigured
from kernel.runtime.commands_revoke import signal_number
from kernel.runtime.state_db import StateDb


def test_ids_are_kept_for_their_time_and_up_to_a_number():
    revoked = RevokedTasks(limit=3, keep_s=10)
    assert revoked.add(["a", "b"], 100) == {"a": 110, "b": 110}
    assert revoked.add(["a"], 100) == {}
    assert revoked.add(["a"], 101) == {"a": 111}
    revoked.add(["c", "d"], 102)
    assert revoked.known() == ["a", "c", "d"]  # the oldest went, and "a" is newer than "b"
    revoked.purge(111.5)
    assert revoked.known() == ["c", "d"]
    revoked.purge(200)
    assert revoked.known() == []


def test_what_is_over_is_not_taken_over():
    revoked = RevokedTasks(keep_s=10)
    assert revoked.restore({"old": 99, "new": 105}, 100) == {"new": 105}
    revoked.restore_stamps({"owner": {"me": 99.0, "you": 105.0}}, 100)
    assert revoked.stamps == {"owner": {"you": 105.0}}


def test_stamps_are_kept_up_to_a_number_whatever_their_headers():
    revoked = RevokedTasks(limit=3)
    for number in range(10):
        revoked.add_stamps({f"header{number}": "x"}, 100)
    assert list(revoked.stamps) == ["header7", "header8", "header9"]
    revoked.add_stamps({"one": list(range(10))}, 100)
    assert revoked.stamps == {"one": dict.fromkeys([7, 8, 9], 100 + 10_800.0)}


@pytest.mark.parametrize(
    ("stamps", "held"),
    [({"owner": "me"}, True), ({"owner": ["you", "me"]}, True), ({"owner": "you"}, False), ({"other": "me"}, False),
     ({"owner": {"deep": 1}}, False), (None, False), ("me", False)],
)  # fmt: skip
def test_stamps(stamps, held):
    revoked = RevokedTasks()
    revoked.add_stamps({"owner": ["me", "her"]}, 100)
    assert revoked.holds("id", {"stamps": stamps}) is held
    revoked.purge(1e9)
    assert not revoked.holds("id", {"stamps": stamps})


def test_admission_looks_at_both():
    revoked = RevokedTasks()
    rules = Rules({"t": TaskRule()}, revoked=revoked)
    headers = {"task": "t", "id": "i", "stamps": {"owner": "me"}, "eta": "2100-01-01T00:00:00+00:00"}
    revoked.add_stamps({"owner": "me"}, 100)
    assert admit(headers, rules, 100) == Revoked("t", "i")
    assert admit({"task": "t", "id": "i"}, rules, 100) == Run("t", "i")
    revoked.add(["i"], 100)
    assert admit({"task": "t", "id": "i"}, rules, 100) == Revoked("t", "i")


@pytest.mark.parametrize("given", [None, 15, "15", "TERM", "SIGTERM", "sigterm", " term "])
def test_names_of_signals(given):
    assert signal_number(given) == signal.SIGTERM


@pytest.mark.parametrize("given", ["", "SIGNOTHING", 0, 4000, "-1"])
def test_what_is_no_signal(given):
    with pytest.raises(ValueError, match="signal"):
        signal_number(given)


def test_the_file_keeps_what_was_added(tmp_path):
    path = str(tmp_path / "state.db")
    db = StateDb(path)
    assert db.read() == ({}, {})
    db.add({"b": 2e9, "a": 3e9, "over": 5.0})
    db.add_stamps({"owner": {"me": 2e9, 7: 2e9}})
    db.purge()
    db.close()
    again = StateDb(path)
    assert again.read() == ({"b": 2e9, "a": 3e9}, {"owner": {"me": 2e9, 7: 2e9}})
    again.close()


def test_a_process_that_is_killed_leaves_the_file_whole(tmp_path):
    path = str(tmp_path / "state.db")
    code = (
        "import sys; from kernel.runtime.state_db import StateDb\n"
        "db = StateDb(sys.argv[1]); db.read()\n"
        "for n in range(10**6):\n"
        "    db.add({f'{n}-{m}': 2e9 for m in range(20)}); print(n, flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) >= 25:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait(10)
    process.stdout.close()
    ids, _ = StateDb(path).read()
    assert {f"{n}-{m}" for n in range(26) for m in range(20)} <= ids.keys()
    assert len(ids) % 20 == 0


@pytest.mark.parametrize("content", ["database", "text", "folder"])
def test_a_file_of_somebody_else_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "other"
    if content == "database":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE mine (x)")
        connection.close()
    elif content == "text":
        path.write_text("not a database, and long enough to be looked at " * 50)
    else:
        path = path / "missing" / "file"
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(ImproperlyConfigured, match="state file") as caught:
        StateDb(str(path)).read()
    assert "--statedb" in caught.value.cure
    assert (path.read_bytes() if path.exists() else None) == before
