"""What stands in the database: Celery's documents (wire.md 10.5)."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kernel.builtins.compressors.gzip import GzipCompressor
from kernel.builtins.serializers.json import JsonSerializer
from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.contracts import Deadline, DecodeLimits, Record, StoreMode
from kernel.engine.codec import Codec
from kernel.engine.result_formats import ResultFormats
from kernel.errors import Code, DriverError

DONE = "2026-11-21T10:00:00.123456+00:00"
RECORD = Record(
    id="one",
    status="SUCCESS",
    result=b'{"a": 3}',
    traceback=None,
    children='[[["two", null], null]]',
    date_done=DONE,
    group_id="g",
    parent_id="p",
    name="shop.add",
    args="[1, [2.5, null, true]]",
    kwargs='{"a": {"b": "c"}}',
    worker="w@h",
    retries=2,
    queue="q",
    stamps='{"s": ["v"]}',
    ttl_s=600,
)


def soon():
    return Deadline.after(20)


def formats(serializer):
    codec = Codec([JsonSerializer(), PickleSerializer()], [GzipCompressor()], ("json", "pickle"), DecodeLimits())
    return ResultFormats(codec, serializer)


def put(backend, *records, mode=StoreMode.UPSERT):
    results = backend.store(records, mode, soon())
    for result in results:
        assert result.error is None
    return [result.stored for result in results]


def get(backend, *ids):
    return backend.fetch(ids, soon())


def test_a_record_is_celerys_document(server, backend_at, raw):
    put(backend_at(server.address), RECORD)
    found = raw["celery_taskmeta"].find_one({"_id": "one"})
    until = found.pop("until")
    assert found.pop("expires") == datetime.fromtimestamp(until / 1000, UTC)
    assert abs(until / 1000 - datetime.now(UTC).timestamp() - 600) < 30
    assert json.loads(found.pop("kernel")) == {"date_done": DONE}
    assert found == {
        "_id": "one",
        "status": "SUCCESS",
        "result": '{"a": 3}',
        "traceback": None,
        "children": [[["two", None], None]],
        "date_done": datetime(2026, 11, 21, 10, 0, 0, 123000, tzinfo=UTC),
        "group_id": "g",
        "parent_id": "p",
        "name": "shop.add",
        "args": [1, [2.5, None, True]],
        "kwargs": {"a": {"b": "c"}},
        "worker": "w@h",
        "retries": 2,
        "queue": "q",
        "stamped_headers": ["s"],
        "s": ["v"],
    }
    assert get(backend_at(server.address), "one") == [replace(RECORD, ttl_s=None)]


def test_what_celery_wrote_is_read_and_guarded(server, backend_at, raw):
    moment = datetime(2026, 11, 21, 10, tzinfo=UTC)
    theirs = {"status": "SUCCESS", "result": "3", "traceback": None, "children": [], "date_done": moment}
    raw["celery_taskmeta"].insert_many(
        [{**theirs, "_id": "done"}, {**theirs, "_id": "begun", "status": "STARTED", "date_done": None}]
    )
    raw["celery_groupmeta"].insert_one({"_id": "g", "result": '["a", "b"]', "date_done": moment})
    backend = backend_at(server.address)
    assert get(backend, "done", "begun") == [
        Record("done", "SUCCESS", b"3", date_done="2026-11-21T10:00:00+00:00"),
        Record("begun", "STARTED", b"3"),
    ]
    late = [Record(one, "FAILURE", b"1") for one in ("done", "begun")]
    assert put(backend, *late, mode=StoreMode.IF_NOT_SUCCESS) == [False, True]
    assert put(backend, *late, mode=StoreMode.IF_ABSENT) == [False, False]
    assert backend.fetch_group("g", soon()) == b'[["g", null], [[["a", null], null], [["b", null], null]]]'
    assert backend.forget(["done", "begun", "never"], soon()) == 2


def test_a_saved_group_is_a_list_of_ids_for_celery(server, backend_at, raw):
    backend = backend_at(server.address)
    structure = b'[["g", null], [[["a", null], null], [["b", ["p", null]], null]]]'
    backend.save_group("g", structure, 600, soon())
    found = raw["celery_groupmeta"].find_one({"_id": "g"})
    assert found["result"] == '["a", "b"]'
    assert isinstance(found["date_done"], datetime)
    assert backend.fetch_group("g", soon()) == structure


def test_another_serializer_is_binary_and_needs_no_mark_from_celery(server, backend_at, raw):
    backend = backend_at(server.address, formats("pickle"))
    payload = pickle.dumps({1, 2})
    record = Record(
        "ours", "SUCCESS", payload, content_type="application/x-python-serialize", content_encoding="binary"
    )
    put(backend, record)
    assert raw["celery_taskmeta"].find_one({"_id": "ours"})["result"] == payload
    theirs = {"status": "SUCCESS", "result": payload, "traceback": None, "children": [], "date_done": None}
    raw["celery_taskmeta"].insert_one({**theirs, "_id": "theirs"})
    put(backend, Record("json", "SUCCESS", b"3"))
    assert get(backend, "ours", "json") == [record, Record("json", "SUCCESS", b"3")]
    (found,) = get(backend, "theirs")
    assert (found.content_type, found.result) == (record.content_type, payload)
    backend.save_group("g", b'[["g", null], [[["a", null], null]]]', None, soon())
    assert pickle.loads(raw["celery_groupmeta"].find_one({"_id": "g"})["result"]) == ["a"]
    raw["celery_groupmeta"].insert_one({"_id": "h", "result": pickle.dumps(["b"]), "date_done": None})
    assert backend.fetch_group("h", soon()) == b'[["h", null], [[["b", null], null]]]'


def test_a_compressed_result_is_binary_as_celery_writes_it(server, backend_at, raw):
    payload = b"\x00celery-compressed\x00application/x-gzip\x00" + GzipCompressor().compress(b'"' + b"x" * 900 + b'"')
    put(backend_at(server.address), Record("c", "SUCCESS", payload))
    assert raw["celery_taskmeta"].find_one({"_id": "c"})["result"] == payload
    ids = b"\x00celery-compressed\x00application/x-gzip\x00" + GzipCompressor().compress(b'["a"]')
    raw["celery_groupmeta"].insert_one({"_id": "g", "result": ids, "date_done": None})
    backend = backend_at(server.address, formats("json"))
    assert backend.fetch_group("g", soon()) == b'[["g", null], [[["a", null], null]]]'


ODD = [
    Record("odd", "SUCCESS", b"\xff\x00", content_encoding="binary"),
    Record("odd", "SUCCESS", b"1", traceback="\ud800", worker="\ud800"),
    Record("odd", "SUCCESS", b"1", args='[{"$set": 1}]', kwargs='{"a.b": {"__neosqlite_binary__": true}}'),
    Record("odd", "SUCCESS", b"1", args="[" * 60 + "]" * 60, children="[" * 60 + "]" * 60),
    Record("odd", "SUCCESS", b"1", args="[9223372036854775808]", kwargs='{"a":1}', children="[NaN]"),
    Record("odd", "SUCCESS", b"1", args='["\\ud800"]', kwargs='{"\\u0000": 1}', children="null"),
    Record("odd", "SUCCESS", b"1", stamps='{"_id": 1}'),
    Record("odd", "SUCCESS", b"1", stamps='{"until": 1}'),
    Record("odd", "SUCCESS", b"1", stamps='{"$x": 1}'),
    Record("odd", "SUCCESS", b"1", stamps="no json", date_done="no date"),
    Record("odd", "SUCCESS", b"1", date_done="2026-11-21T10:00:00"),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_what_the_server_cannot_carry_comes_back_all_the_same(server, backend_at, number):
    backend = backend_at(server.address)
    put(backend, ODD[number])
    assert get(backend, "odd") == [ODD[number]]


def test_a_document_that_is_none_is_corrupt_and_can_be_replaced(server, backend_at, raw):
    backend = backend_at(server.address)
    raw["celery_taskmeta"].insert_one({"_id": "x", "result": 1})
    raw["celery_groupmeta"].insert_one({"_id": "x", "result": "1"})
    for call in (lambda: get(backend, "x"), lambda: backend.fetch_group("x", soon())):
        with pytest.raises(DriverError) as caught:
            call()
        assert caught.value.code is Code.CORRUPT
    assert put(backend, Record("x", "STARTED"), mode=StoreMode.IF_NOT_FINAL) == [True]


def test_two_namespaces_share_a_database(server, backend_at, raw):
    put(backend_at(server.address), Record("a", "SUCCESS", b"1"))
    assert raw["celery_taskmeta"].count_documents({}) == 1
    assert {name for name in raw.list_collection_names() if name.endswith("taskmeta")} == {"celery_taskmeta"}


def test_the_server_removes_what_has_ended(server, backend_at, raw):
    backend = backend_at(server.address)
    put(backend, Record("brief", "SUCCESS", b"1", ttl_s=1.0), Record("long", "SUCCESS", b"1", ttl_s=600))
    end = datetime.now(UTC) + timedelta(seconds=30)
    while raw["celery_taskmeta"].find_one({"_id": "brief"}) is not None:
        assert datetime.now(UTC) < end, "the TTL index does not work"
    assert [one and one.id for one in get(backend, "brief", "long")] == [None, "long"]


def test_expire_removes_without_the_servers_help(server, backend_at, raw):
    backend = backend_at(server.address)
    past = {"status": "SUCCESS", "result": "1", "until": 1000}
    raw["celery_taskmeta"].insert_many([{**past, "_id": f"old-{number}"} for number in range(5)])
    put(backend, Record("young", "SUCCESS", b"1"))
    now = datetime.now(UTC).timestamp()
    assert [backend.expire(now, 3, soon()) for _ in range(3)] == [3, 2, 0]
    assert get(backend, "young")[0] is not None


def test_a_late_state_never_overwrites_a_final_one_whoever_races(server, backend_at):
    backend = backend_at(server.address)
    for number in range(30):
        one = f"race-{number}"
        batch = [Record(one, "STARTED"), Record(one, "SUCCESS", b"1"), Record(one, "STARTED"), Record(one, "RETRY")]
        assert put(backend, *batch, mode=StoreMode.IF_NOT_FINAL) == [True, True, False, False]
        assert get(backend, one)[0].status == "SUCCESS"


def test_members_of_a_long_join_live_as_long_as_it_does(server, backend_at, raw):
    backend = backend_at(server.address)
    backend.join("j", "000000:a", b"1", 3, 600, soon())
    head = raw["celery_join"].find_one({"_id": "j"})
    raw["celery_join"].update_one({"_id": "j"}, {"$inc": {"renewed": -700_000}})
    raw["celery_joinmember"].update_one({"member": "000000:a"}, {"$set": {"until": 1}})
    backend.join("j", "000001:b", b"2", 3, 600, soon())
    assert raw["celery_joinmember"].find_one({"member": "000000:a"})["until"] >= head["until"]
    assert backend.join("j", "000002:c", b"3", 3, 600, soon()).payloads == (b"1", b"2", b"3")
    backend.joined("j", 600, soon())
    assert raw["celery_joinmember"].count_documents({}) == 0


def test_what_was_forgotten_stays_so_for_its_time(server, backend_at):
    """Two backends agree on it, whether or not they mark what they forget themselves."""
    marking, other = backend_at(server.address, tombstone_s=1.0), backend_at(server.address)
    assert marking.capabilities().tombstone
    assert not other.capabilities().tombstone
    put(marking, Record("gone", "SUCCESS", b"1"), Record("stays", "SUCCESS", b"1"))
    assert marking.forget(["gone", "never", "gone"], soon()) == 1
    assert marking.forget(["gone", "never"], soon()) == 0
    for mode in StoreMode:
        assert put(marking, Record("gone", "SUCCESS", b"2"), mode=mode) == [False]
    for mode in set(StoreMode) - {StoreMode.UPSERT}:
        assert put(other, Record("never", "STARTED"), mode=mode) == [False]
    assert [one and one.id for one in other.fetch(["gone", "never", "stays"], soon())] == [None, None, "stays"]
    deadline = soon()
    while put(marking, Record("gone", "SUCCESS", b"3"), mode=StoreMode.IF_NOT_FINAL) == [False]:
        deadline.check("waiting for the end of the mark")
    assert marking.fetch(["gone"], soon())[0].result == b"3"


def test_many_may_forget_at_once_and_each_record_counts_once(server, backend_at):
    backend = backend_at(server.address, tombstone_s=60.0)
    ids = [f"many-{number}" for number in range(40)]
    put(backend, *[Record(one, "SUCCESS", b"1") for one in ids])
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: backend.forget(ids, soon()), range(8)))
    assert sum(counts) == len(ids)
    assert backend.fetch(ids, soon()) == [None] * len(ids)
