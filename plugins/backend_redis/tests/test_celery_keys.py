"""The keys that Celery's clients and workers see (wire.md 10.2, 11), past the plugin."""

import json
import subprocess
import time

import pytest

from kernel.contracts import Deadline, Record, StoreMode
from kernel.contracts.backend import JoinState
from kernel.errors import Code, DriverError
from kernel_conformance.provision import program

DONE = Record("t-1", "SUCCESS", b"5", date_done="2026-11-21T10:00:00.000000+00:00", ttl_s=86400)
DOCUMENT = (
    '{"status": "SUCCESS", "result": 5, "traceback": null, "children": [], '
    '"date_done": "2026-11-21T10:00:00.000000+00:00", "task_id": "t-1"}'
)


def soon(seconds=10.0):
    return Deadline.after(seconds)


def stored(backend, *records, mode=StoreMode.UPSERT):
    results = backend.store(records, mode, soon())
    assert [result.error for result in results] == [None] * len(records)
    return [result.stored for result in results]


def test_a_result_is_the_document_under_its_key(site):
    stored(site.backend(), DONE)
    assert site.ask("GET", "celery-task-meta-t-1") == DOCUMENT
    assert 86_000_000 < int(site.ask("PTTL", "celery-task-meta-t-1")) <= 86_400_000


def test_without_a_time_to_live_it_has_none(site):
    backend = site.backend()
    stored(backend, DONE)
    stored(backend, Record("t-1", "SUCCESS", b"5"))
    assert site.ask("PTTL", "celery-task-meta-t-1") == "-1"


def test_it_is_told_on_the_channel_of_the_same_name(site):
    tool, (host, port) = program("redis-cli", "redis-tools"), site.server.address
    login = ["-a", site.server.password, "--no-auth-warning"]
    command = [tool, "-h", host, "-p", str(port), *login, "SUBSCRIBE", "celery-task-meta-t-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        said = [listener.stdout.readline() for _ in range(3)]
        assert said[0].strip() == "subscribe"
        stored(site.backend(), DONE)
        heard = [listener.stdout.readline().strip() for _ in range(3)]
        listener.terminate()
    assert heard == ["message", "celery-task-meta-t-1", DOCUMENT]


def test_what_celery_stored_is_read(site):
    text = (
        '{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["x"], "exc_module": "builtins"}, '
    )
    text += (
        '"traceback": "T", "children": [], "date_done": "2026-11-21T10:00:00+00:00", "parent_id": "p", "task_id": "t"}'
    )
    site.ask("SET", "celery-task-meta-t", text)
    [found] = site.backend().fetch(["t"], soon())
    assert (found.status, found.traceback, found.parent_id) == ("FAILURE", "T", "p")
    assert json.loads(found.result)["exc_type"] == "ValueError"


def test_garbage_is_corrupt_and_never_none(site):
    site.ask("SET", "celery-task-meta-t", "garbage")
    with pytest.raises(DriverError) as caught:
        site.backend().fetch(["t"], soon())
    assert caught.value.code is Code.CORRUPT


def test_another_namespace_has_names_of_its_own(site):
    stored(site.backend("proj"), DONE)
    stored(site.backend(global_keyprefix="app"), DONE)
    stored(site.backend(global_keyprefix="app:"), DONE)
    assert sorted(site.ask("KEYS", "*").split("\n")) == [
        "app:celery-task-meta-t-1",
        "app_celery-task-meta-t-1",
        "proj-task-meta-t-1",
    ]


@pytest.mark.parametrize("spaced", [True, False])
def test_a_success_that_celery_stored_is_kept(site, spaced):
    """Also one whose state the server's script cannot read."""
    text = DOCUMENT if spaced else json.dumps({"result": 5, "status": "SUCCESS"}, separators=(",", ":"))
    site.ask("SET", "celery-task-meta-t-1", text)
    backend = site.backend()
    for mode in (StoreMode.IF_NOT_SUCCESS, StoreMode.IF_NOT_FINAL, StoreMode.IF_ABSENT):
        assert stored(backend, Record("t-1", "STARTED"), mode=mode) == [False]
    assert site.ask("GET", "celery-task-meta-t-1") == text


def test_an_odd_document_that_is_not_final_is_replaced(site):
    site.ask("SET", "celery-task-meta-t-1", '{"result":null,"status":"STARTED"}')
    assert stored(site.backend(), DONE, mode=StoreMode.IF_NOT_FINAL) == [True]
    assert site.ask("GET", "celery-task-meta-t-1") == DOCUMENT


def test_a_group_is_saved_as_celery_saves_it(site):
    structure = b'[["g", null], [[["one", null], null], [["two", null], null]]]'
    backend = site.backend()
    backend.save_group("g", structure, 60, soon())
    assert site.ask("GET", "celery-taskset-meta-g") == f'{{"result": {structure.decode()}}}'
    assert backend.fetch_group("g", soon()) == structure


def part(number, result):
    return f"{number:06d}:task-{number}", json.dumps([1, f"task-{number}", "SUCCESS", result]).encode()


def test_a_join_stands_in_celerys_keys(site):
    backend = site.backend()
    backend.expect("g", 3, 3600, soon())
    key = "celery-taskset-meta-g"
    assert site.ask("GET", f"{key}.s") == "3"
    for number in (2, 0):
        assert not backend.join("g", *part(number, number * 10), 3, 3600, soon()).won
    assert (
        json.loads(site.ask("--json", "ZRANGE", f"{key}.j", 0, -1, "WITHSCORES"))
        == [
            ['[1, "task-0", "SUCCESS", 0]', 0],
            ['[1, "task-2", "SUCCESS", 20]', 2],
        ]
        or site.ask("ZSCORE", f"{key}.j", '[1, "task-2", "SUCCESS", 20]') == "2"
    )
    assert sorted(json.loads(site.ask("--json", "SMEMBERS", f"{key}.d"))) == ["task-0:0", "task-2:2"]
    state = backend.join("g", *part(1, 10), 3, 3600, soon())
    assert state.won
    assert [json.loads(one)[3] for one in state.payloads] == [0, 10, 20]
    assert 0 < int(site.ask("PTTL", f"{key}.c")) <= 5000
    backend.joined("g", 300, soon())
    assert site.ask("GET", f"{key}.c") == "done"
    assert site.ask("KEYS", f"{key}*") == f"{key}.c"


def test_a_join_that_a_celery_worker_began_is_finished(site):
    """It wrote its part, and may have added one by a replaced task."""
    key = "celery-taskset-meta-g"
    site.ask("SET", f"{key}.s", 2)
    site.ask("ZADD", f"{key}.j", 0, '[1, "task-0", "SUCCESS", "a"]')
    site.ask("SADD", f"{key}.d", "task-0:0")
    site.ask("INCR", f"{key}.t")
    backend = site.backend()
    assert backend.join("g", *part(0, "other"), 2, 60, soon()) == JoinState(1, 3, won=False)
    assert backend.join("g", *part(1, "b"), 2, 60, soon()) == JoinState(2, 3, won=False)
    state = backend.join("g", *part(2, "c"), 2, 60, soon())
    assert state.won
    assert [json.loads(one)[3] for one in state.payloads] == ["a", "b", "c"]


def test_a_claim_of_a_celery_worker_counts(site):
    key = "celery-taskset-meta-g"
    backend = site.backend()
    assert not backend.join("g", *part(0, 1), 2, 60, soon()).won
    site.ask("SET", f"{key}.c", "token-of-celery", "PX", 300)
    assert backend.join("g", *part(1, 2), 2, 60, soon()) == JoinState(2, 2, won=False)
    end = time.monotonic() + 10
    while not (state := backend.join("g", *part(1, 2), 2, 60, soon())).won:
        assert time.monotonic() < end, "the claim never ended"
        time.sleep(0.05)
    assert len(state.payloads) == 2
    site.ask("SET", f"{key}.c", "done", "EX", 300)
    assert backend.join("g", *part(0, 1), 2, 60, soon()) == JoinState(2, 2, won=False, done=True)


def test_a_join_whose_size_only_celery_knows(site):
    """Its client writes the size before it sends the last member."""
    key = "celery-taskset-meta-g"
    backend = site.backend()
    assert backend.join("g", *part(0, "a"), 0, 60, soon()) == JoinState(1, 0, won=False)
    site.ask("SET", f"{key}.s", 3)
    assert backend.join("g", *part(1, "b"), 0, 60, soon()) == JoinState(2, 3, won=False)
    nowhere = "999999:late", b'[1, "late", "SUCCESS", "z"]'
    state = backend.join("g", *nowhere, 0, 60, soon())
    assert state.won
    assert [json.loads(one)[3] for one in state.payloads] == ["a", "b", "z"]
    assert site.ask("ZSCORE", f"{key}.j", '[1, "late", "SUCCESS", "z"]') == "inf"
    assert "late:+inf" in json.loads(site.ask("--json", "SMEMBERS", f"{key}.d"))
