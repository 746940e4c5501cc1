"""The file of the SQLite pair: URLs, damage, locks, full disks, growth, and what lies beside it."""

import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from storage_helpers import ack, collect, declare, message, numbers, publish, soon

from kernel.builtins.memory import plugin as memory_plugin
from kernel.builtins.memory.backend import MemoryBackend
from kernel.builtins.memory.broker import MemoryBroker
from kernel.builtins.sqlite import layout, plugin, schema
from kernel.builtins.sqlite.backend import SqliteBackend
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import Broker, Deadline, PluginContext, Record, StoreMode
from kernel.contracts.manifest import CONTRACTS, ENTRY_POINT_GROUP
from kernel.errors import Applied, Code, DriverError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def broker(url: str) -> Iterator[Broker]:
    with SqliteBroker(url, {}, PluginContext()) as broker:
        declare(broker, "q")
        yield broker


def failure(call: Callable[..., object], *args: object) -> DriverError:
    with pytest.raises(DriverError) as caught:
        call(*args)
    error = caught.value
    assert "\n" not in error.one_line()
    assert error.cure
    return error


def opening(url: str, seconds: float = 5) -> DriverError:
    return failure(SqliteBroker(url, {}, PluginContext()).open, Deadline.after(seconds))


def test_a_relative_url_counts_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broker = SqliteBroker("sqlite:///sub.db", {}, PluginContext())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.chdir("/")
    with broker:
        declare(broker, "q")
    assert (tmp_path / "sub.db").exists()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:?x=1", "sqlite:///a#b", "sqlite://host/a", "x", "sqlite:////a/"],
)
def test_urls_that_name_no_file(url):
    for factory in (SqliteBroker, SqliteBackend):
        assert failure(factory, url, {}, PluginContext()).code is Code.INVALID


@pytest.mark.parametrize("url", ["memory:", "memory://a/b", "memory://a?b", "memory://a b", "sqlite:///x"])
def test_urls_that_name_no_memory(url):
    for factory in (MemoryBroker, MemoryBackend):
        assert failure(factory, url, {}, PluginContext()).code is Code.INVALID


@pytest.mark.parametrize(
    ("factory", "url", "options"),
    [
        (SqliteBroker, "sqlite:///x", {"synchronous": "sometimes"}),
        (SqliteBackend, "sqlite:///x", {"synchronous": "sometimes"}),
        (SqliteBroker, "sqlite:///x", {"lease_s": 0}),
        (SqliteBroker, "sqlite:///x", {"dedup_window_s": -1}),
        (MemoryBroker, "memory://x", {"lease_s": "long"}),
    ],
)
def test_options_out_of_range(factory, url, options):
    assert failure(factory, url, options, PluginContext()).code is Code.INVALID


@pytest.mark.parametrize("level", ["off", "normal", "full"])
def test_the_level_of_synchronisation(url, level):
    with SqliteBroker(url, {"synchronous": level}, PluginContext()) as broker:
        found = broker._database.query(soon(), "PRAGMA synchronous")[0][0]
    assert found == {"off": 0, "normal": 1, "full": 2}[level]


def test_the_constructor_touches_nothing(path, url):
    SqliteBroker(url, {}, PluginContext())
    SqliteBackend(url, {}, PluginContext())
    assert not path.exists()


def test_the_file_is_private_and_nothing_is_left_beside_it(path, url, broker):
    broker.consumer(["q"], 0).receive(1, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}
    broker.close(soon())
    assert list(path.parent.iterdir()) == [path]


def test_broker_and_backend_share_a_file(url, broker):
    with SqliteBackend(url, {}, PluginContext()) as backend:
        publish(broker, message())
        backend.store([Record("a", "SUCCESS")], StoreMode.UPSERT, soon())
        assert backend.fetch(["a"], soon())[0] is not None
    assert broker.depth(["q"], soon())["q"].ready == 1


def test_eight_connections_make_one_new_file(url):
    barrier = threading.Barrier(8)
    errors = []

    def begin():
        barrier.wait()
        try:
            with SqliteBroker(url, {}, PluginContext()) as broker:
                declare(broker, "q")
                publish(broker, message())
        except DriverError as error:
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with SqliteBroker(url, {}, PluginContext()) as broker:
        assert broker.depth(["q"], soon())["q"].ready == 8


def test_a_missing_directory_and_one_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name in ("missing/queue.db", "file/queue.db", "folder"):
        error = opening(f"sqlite:///{tmp_path}/{name}")
        assert (error.code, error.retryable) == (Code.UNAVAILABLE, False)
        assert str(tmp_path) in str(error)


def test_a_read_only_file_system_cannot_be_written():
    error = opening("sqlite:////proc/kernel-test.db")
    assert (error.code, error.retryable) == (Code.UNAVAILABLE, False)


@pytest.mark.parametrize("content", [b"no database at all", bytes(5000), b"SQLite format 3\x00" + b"\x01" * 5000])
def test_a_file_that_is_no_database(path, url, content):
    path.write_bytes(content)
    assert opening(url).code is Code.CORRUPT
    assert path.read_bytes() == content


def test_an_empty_file_becomes_ours(path, url):
    path.write_bytes(b"")
    with SqliteBroker(url, {}, PluginContext()) as broker:
        declare(broker, "q")


def test_a_database_of_another_program(path, url):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert opening(url).code is Code.CONFLICT


def test_a_file_of_a_later_version(path, url, broker):
    broker.close(soon())
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    error = opening(url)
    assert error.code is Code.CONFLICT
    assert str(schema.VERSION + 1) in str(error)
    assert str(schema.VERSION) in str(error)


def test_a_damaged_table_is_corrupt(path, url, broker):
    publish(broker, *[message(number=n) for n in range(2000)])
    broker.close(soon())
    content = bytearray(path.read_bytes())
    content[20_000:-4096] = b"\xff" * (len(content) - 20_000 - 4096)
    path.write_bytes(content)
    with SqliteBroker(url, {}, PluginContext()) as damaged:
        assert failure(damaged.depth, ["q"], soon()).code is Code.CORRUPT


def test_a_locked_file_is_a_timeout_within_the_deadline(path, url, broker):
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        for call in (
            lambda: broker.publish([message()], Deadline.after(0.2)),
            lambda: broker.publish([message(), message()], Deadline.after(0.2)),
            lambda: broker.purge(["q"], Deadline.after(0.2)),
        ):
            began = time.monotonic()
            error = failure(call)
            assert (error.code, error.retryable, error.outcome) == (Code.TIMEOUT, True, Applied.NOT_APPLIED)
            assert 0.2 <= time.monotonic() - began < 5  # the file stays locked
        assert broker.consumer(["q"], 0).receive(1, 0) == []
    finally:
        blocker.close()
    publish(broker, message())


def test_a_waiting_writer_gets_its_turn(path, broker):
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, blocker.execute, ("COMMIT",))
    timer.start()
    publish(broker, message())
    timer.join()
    blocker.close()


def test_a_full_disk_is_exhausted_and_takes_nothing(broker):
    broker._database.query(soon(), "PRAGMA max_page_count = 40")
    big = message()
    results = []

    def fill():
        for number in range(200):
            publish(broker, message(number=number, correlation_id="x" * 3000))
            results.append(number)

    error = failure(fill)
    assert (error.code, error.outcome) == (Code.EXHAUSTED, Applied.NOT_APPLIED)
    assert failure(broker.publish, [message(correlation_id="x" * 9000)] * 9, soon()).code is Code.EXHAUSTED
    consumer = broker.consumer(["q"], 0)
    found = collect(consumer, len(results))
    assert numbers(found) == results
    ack(consumer, *found)
    publish(broker, big)


def test_a_removed_file_is_noticed(path, url, broker):
    publish(broker, message())
    path.unlink()
    broker._database._check_at = 0.0
    error = failure(broker.publish, [message()], soon())
    assert (error.code, error.retryable) == (Code.UNAVAILABLE, True)
    [lost] = broker.publish([message()], soon())
    assert lost.error.code is Code.NOT_FOUND
    declare(broker, "q")
    publish(broker, message())
    assert len(broker.consumer(["q"], 0).receive(5, 0)) == 1


def test_a_transaction_that_an_exception_left_behind_is_rolled_back(broker):
    with broker._database._lock:
        broker._database._connection.execute("BEGIN IMMEDIATE")
        broker._database._connection.execute("DELETE FROM queue")
    publish(broker, message())


def test_an_exception_inside_a_transaction_undoes_it(broker):
    def interrupted():
        with broker._database.write(soon()) as connection:
            connection.execute("DELETE FROM queue")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    publish(broker, message())


def test_lock_files_of_the_dead_are_cleaned_up(path, url, broker):
    stray = path.with_name(f"{path.name}-owner-0123456789abcdef")
    stray.write_bytes(b"")
    broker.consumer(["q"], 0).receive(1, 0)
    assert not stray.exists()


def test_the_file_does_not_grow_with_what_passes_through(path, broker):
    consumer = broker.consumer(["q"], 0)
    sizes = []
    for _ in range(12):
        publish(broker, *[message(number=n) for n in range(500)])
        ack(consumer, *collect(consumer, 500))
        pages, page = (broker._database.query(soon(), f"PRAGMA {name}")[0][0] for name in ("page_count", "page_size"))
        sizes.append(pages * page)
    assert max(sizes[6:]) <= max(sizes[:6])


def test_old_results_go_while_new_ones_come(url):
    now = [1_800_000_000.0]
    with SqliteBackend(url, {}, PluginContext(clock=lambda: now[0])) as backend:

        def rows() -> int:
            return int(backend._database.query(soon(), "SELECT count(*) FROM result")[0][0])

        backend.store([Record(str(n), "SUCCESS", ttl_s=5) for n in range(300)], StoreMode.UPSERT, soon())
        assert rows() == 300
        now[0] += 6
        backend._sweep_at = 0.0
        backend.store([Record("new", "SUCCESS", ttl_s=5)], StoreMode.UPSERT, soon())
        assert rows() == 1


def test_a_millisecond_that_is_full_of_due_messages(broker, monkeypatch):
    monkeypatch.setattr(layout, "TICK", 3)
    now = time.time() + 100
    monkeypatch.setattr(broker._publishing, "_clock", lambda: now)
    publish(broker, *[message(number=n, delay_s=5) for n in range(30)])
    publish(broker, *[message(number=n, delay_s=5) for n in range(30)])
    assert broker.depth(["q"], soon())["q"].delayed == 60


def test_a_file_holds_as_many_queues_as_it_can(broker, monkeypatch):
    monkeypatch.setattr(layout, "TOP_QUEUE", 3)
    declare(broker, "two", "three")
    assert failure(declare, broker, "four").code is Code.EXHAUSTED
    broker.delete(["two"], soon())
    declare(broker, "four")


@pytest.mark.parametrize("priority", [0, 7, 255])
def test_ids_tell_queue_and_priority(priority):
    start = layout.home(5, priority)
    low, high = layout.span(5)
    assert low <= start < start + layout.RANGE <= high
    assert layout.queue_of(start + 9) == 5
    assert layout.priority_of(start + 9) == priority
    assert layout.home_of(start + 9) == start
    assert layout.span(layout.TOP_QUEUE)[1] < layout.DELAYED
    assert layout.claims_of(layout.TOP_QUEUE)[1] < layout.FREE


def test_due_times_are_never_early():
    for due in (0.0, 1_800_000_000.0001, 1_800_000_000.25, 4_300_000_000.999_999):
        assert due <= layout.due(layout.delayed(due)) < due + 0.002
        assert layout.delayed(due) + layout.TICK <= layout.DELAYED_END


@pytest.mark.parametrize(
    ("module", "name", "scheme"),
    [
        (memory_plugin.broker_plugin, "broker.memory", "memory"),
        (memory_plugin.backend_plugin, "backend.memory", "memory"),
        (plugin.broker_plugin, "broker.sqlite", "sqlite"),
        (plugin.backend_plugin, "backend.sqlite", "sqlite"),
    ],
)
def test_plugins_say_what_they_are(module, name, scheme):
    from importlib.metadata import entry_points

    manifest = module.kernel_manifest()
    assert (manifest.name, manifest.schemes) == (name, (scheme,))
    assert set(manifest.contracts) <= set(CONTRACTS)
    provide = getattr(module, "kernel_brokers", None) or module.kernel_result_backends
    driver = provide()[scheme]("memory://x" if scheme == "memory" else "sqlite:///x", {}, PluginContext())
    assert driver.capabilities().claimed()
    [entry] = entry_points(group=ENTRY_POINT_GROUP, name=name)
    assert entry.load() is module


def test_a_change_within_the_coarseness_of_file_times_is_seen(url, broker):
    """The log's time of change stands still for milliseconds; a second write in them must not be missed."""
    consumer = broker.consumer(["q"], 0)
    with SqliteBroker(url, {}, PluginContext()) as other:
        for number in range(200):
            publish(other, message(number=number), message(number=-1))
            began = time.monotonic()
            found = collect(consumer, 2)
            assert time.monotonic() - began < 2
            publish(other, message(number=number))
            ack(consumer, *found, *collect(consumer, 1))


def test_a_consumer_closed_by_another_thread_keeps_nothing(broker):
    """Deliveries claimed while the consumer was being closed are given back."""
    for number in range(30):
        publish(broker, message(number=number))
        consumer = broker.consumer(["q"], 0)
        closer = threading.Thread(target=consumer.close, args=(True, soon()))
        closer.start()
        try:
            while consumer.receive(1, 0.01):
                pass
        except DriverError as error:
            assert error.code is Code.CLOSED  # noqa: PT017 - it ends this way or with nothing
        closer.join()
        depth = broker.depth(["q"], soon())["q"]
        assert (depth.ready, depth.in_flight) == (number + 1, 0)
