"""What stands on the servers: Celery's documents under Celery's keys, on the server where Celery looks for them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pymemcache.client.hash import HashClient

from kernel.contracts import Deadline, Record, StoreMode
from kernel.errors import Code, DriverError

RECORD = Record("one", "SUCCESS", b"3", date_done="2026-11-21T10:00:00+00:00", ttl_s=600)
DOCUMENT = (
    b'{"status": "SUCCESS", "result": 3, "traceback": null, "children": [], '
    b'"date_done": "2026-11-21T10:00:00+00:00", "task_id": "one"}'
)


def soon():
    return Deadline.after(20)


def put(backend, *records, mode=StoreMode.UPSERT):
    results = backend.store(records, mode, soon())
    for result in results:
        assert result.error is None
    return [result.stored for result in results]


def test_a_record_is_celerys_document_with_flags_0(server, backend_at, raw_at):
    put(backend_at(server.address), RECORD)
    raw = raw_at(server.address)
    assert raw.get("celery-task-meta-one") == DOCUMENT
    shown = raw.raw_command("get celery-task-meta-one", "END\r\n")
    assert shown.startswith(b"VALUE celery-task-meta-one 0 %d\r\n" % len(DOCUMENT))


def test_what_celery_wrote_is_read(server, backend_at, raw_at):
    raw_at(server.address).set("celery-task-meta-theirs", DOCUMENT.replace(b'"one"', b'"theirs"'))
    raw_at(server.address).set("celery-taskset-meta-g", b'{"result": [["g", null], []]}')
    backend = backend_at(server.address)
    (found,) = backend.fetch(["theirs"], soon())
    assert found == Record("theirs", "SUCCESS", b"3", date_done="2026-11-21T10:00:00+00:00")
    assert put(backend, Record("theirs", "STARTED"), mode=StoreMode.IF_NOT_FINAL) == [False]
    assert backend.fetch_group("g", soon()) == b'[["g", null], []]'


def test_keys_are_where_celerys_client_looks_for_them(fleet, backend_at, raw_at):
    addresses = [one.address for one in fleet]
    ids = [f"id-{number}" for number in range(60)]
    put(backend_at(*addresses), *[Record(one, "SUCCESS", b"1") for one in ids])
    theirs = HashClient(addresses)
    found = theirs.get_many([f"celery-task-meta-{one}" for one in ids])
    theirs.close()
    assert len(found) == len(ids)
    here = [sum(raw_at(one).get(f"celery-task-meta-{name}") is not None for name in ids) for one in addresses]
    assert sum(here) == len(ids)
    assert min(here) > 0, "all keys are on one server"


def test_what_is_no_document_is_an_error_and_can_be_replaced(server, backend_at, raw_at):
    raw_at(server.address).set("celery-task-meta-foreign", b"\x80something")
    backend = backend_at(server.address)
    with pytest.raises(DriverError) as caught:
        backend.fetch(["foreign"], soon())
    assert caught.value.code is Code.CORRUPT
    assert put(backend, Record("foreign", "STARTED"), mode=StoreMode.IF_NOT_FINAL) == [True]
    assert backend.fetch(["foreign"], soon())[0].status == "STARTED"


def large(size, sign=b"x"):
    return Record("large", "SUCCESS", b'"' + sign * size + b'"')


def parts(raw):
    """Keys of pieces on the server."""
    shown = raw.raw_command("lru_crawler metadump all", "END\r\n")
    return [line for line in shown.splitlines() if b"celery-part-" in line]


@pytest.mark.parametrize("mode", list(StoreMode))
def test_a_large_value_is_cut_and_put_together(fleet, backend_at, mode):
    backend = backend_at(*[one.address for one in fleet])
    assert put(backend, large(3_000_000), mode=mode) == [True]
    assert backend.fetch(["large"], soon())[0] == large(3_000_000)
    guarded = put(backend, large(2_500_000, b"y"), mode=mode)
    kept = mode is not StoreMode.UPSERT
    assert guarded == [not kept]
    assert backend.fetch(["large"], soon())[0] == (large(3_000_000) if kept else large(2_500_000, b"y"))


def test_pieces_of_what_was_replaced_or_refused_go(server, backend_at, raw_at):
    raw = raw_at(server.address)
    backend = backend_at(server.address)
    started = Record("large", "STARTED", large(3_000_000).result)
    put(backend, started, mode=StoreMode.IF_NOT_FINAL)
    before = len(parts(raw))
    assert before >= 3
    put(backend, large(10), mode=StoreMode.IF_NOT_FINAL)
    assert len(parts(raw)) == before - 3
    put(backend, started, mode=StoreMode.IF_NOT_FINAL)
    assert len(parts(raw)) == before - 3


def test_a_value_with_an_evicted_piece_is_not_there(server, backend_at, raw_at):
    backend = backend_at(server.address)
    put(backend, Record("torn", "SUCCESS", large(2_500_000).result), RECORD)
    raw = raw_at(server.address)
    head = raw.get("celery-task-meta-torn")
    nonce = head.split(b'"')[1].decode()
    raw.delete(f"celery-part-{nonce}-1")
    assert backend.fetch(["torn", "one"], soon())[0] is None
    assert backend.fetch(["torn", "one"], soon())[1] is not None


def test_an_item_above_what_the_server_takes_is_named(server, backend_at):
    backend = backend_at(server.address, item_size=3 << 20)
    with pytest.raises(DriverError) as caught:
        backend.store([large(2_000_000)], StoreMode.UPSERT, soon())
    assert caught.value.code is Code.TOO_LARGE
    assert "item_size" in caught.value.cure
    put(backend, RECORD)


def test_a_full_batch_with_repeated_ids_ends_with_the_last(server, backend_at):
    backend = backend_at(server.address)
    batch = [Record(f"b{number % 7}", "SUCCESS", str(number).encode()) for number in range(500)]
    assert put(backend, *batch) == [True] * 500
    found = backend.fetch([f"b{number}" for number in range(7)], soon())
    assert [one.result for one in found] == [str(499 - (499 - number) % 7).encode() for number in range(7)]
    guarded = put(backend, *batch, mode=StoreMode.IF_ABSENT)
    assert guarded == [False] * 500


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
