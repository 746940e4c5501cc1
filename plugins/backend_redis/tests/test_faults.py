"""A server that dies, hangs, is slow or full: the true value by the deadline, or a typed error, and never None."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernel.contracts import Deadline, Record, StoreMode
from kernel.errors import Code, DriverError
from kernel_conformance.proxy import ChaosProxy, Trouble
from kernel_conformance.servers.redis import RedisServer

pytestmark = pytest.mark.timed


def soon(seconds=10.0):
    return Deadline.after(seconds)


@pytest.fixture
def proxy(site):
    with ChaosProxy(site.server.address) as made:
        yield made


def through(site, proxy):
    host, port = proxy.address
    return f"redis://:{site.server.password}@{host}:{port}/{site.db}"


def put(backend, *ids, status="SUCCESS"):
    results = backend.store([Record(one, status, b"1") for one in ids], StoreMode.UPSERT, soon())
    assert all(result.stored for result in results)


def test_a_wait_that_lost_its_connection_says_so_and_the_next_one_reads_again(site, proxy):
    """What was published meanwhile is found by reading, not by hearing."""
    backend, other = site.backend(url=through(site, proxy)), site.backend()
    timer = threading.Timer(0.3, lambda: (proxy.reset(), put(other, "a")))
    timer.start()
    with pytest.raises(DriverError) as caught:
        backend.wait(["a"], 1, soon(20))
    assert caught.value.code is Code.UNAVAILABLE
    timer.join()
    with contextlib.suppress(DriverError):  # the connection for reading was lost, too
        backend.ping(soon())
    assert [one.id for one in backend.wait(["a"], 1, soon())] == ["a"]


def test_connections_of_waits_are_used_again_and_keep_nothing_of_the_last(site):
    backend, other = site.backend(), site.backend()
    for number in range(30):
        names = [f"{number}-a", f"{number}-b"]
        timer = threading.Timer(0.01, put, (other, names[1]))
        timer.start()
        assert [one.id for one in backend.wait(names, 1, soon())] == [names[1]]
        timer.join()
    clients = site.ask("CLIENT", "LIST")
    assert clients.count(f" db={site.db} ") <= 5, clients


def test_many_waits_at_once(site):
    backend, other = site.backend(), site.backend()
    ids = [f"t{number}" for number in range(64)]
    with ThreadPoolExecutor(16) as threads:
        waits = [threads.submit(backend.wait, [one], 1, soon(30)) for one in ids]
        for one in ids:
            put(other, one)
        assert [[record.id for record in wait.result()] for wait in waits] == [[one] for one in ids]


def test_closing_ends_a_wait(site):
    backend = site.backend()
    timer = threading.Timer(0.3, backend.close, (soon(),))
    timer.start()
    with pytest.raises(DriverError) as caught:
        backend.wait(["never"], 1, soon(30))
    assert caught.value.code is Code.CLOSED
    timer.join()


@pytest.mark.parametrize("trouble", [Trouble(black_hole=True), Trouble(refuse=True), Trouble(latency_s=0.3)])
def test_thousands_of_gets_in_trouble_are_true_or_typed(site, proxy, trouble):
    """Ten thousand results, of which every look gives the value, nothing by the deadline, or an error."""
    backend = site.backend(url=through(site, proxy))
    ids = [f"t{number}" for number in range(10_000)]
    put(site.backend(), *ids)
    outcomes = []

    def look(start):
        for at in range(start, len(ids), 800):
            if at == start + 1600:
                proxy.trouble = trouble
            if at == start + 6400:
                proxy.heal()
                proxy.reset()
            began = time.monotonic()
            try:
                found = backend.fetch(ids[at : at + 100], Deadline.after(0.5))
            except DriverError as error:
                outcomes.append(str(error.code))
            else:
                assert [one and one.result for one in found] == [b"1"] * len(found)
                outcomes.append("value")
            assert time.monotonic() - began < 3

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(look, range(0, 800, 100)))
    assert set(outcomes) <= {"value", "UNAVAILABLE", "TIMEOUT"}
    assert outcomes.count("value") >= 8
    proxy.heal()
    with contextlib.suppress(DriverError):
        backend.ping(soon(1))
    assert [one.result for one in backend.fetch(ids[:10], soon())] == [b"1"] * 10


def test_a_restart_keeps_what_was_stored(site):
    server = RedisServer()
    server.start()
    try:
        backend = site.backend(url=server.url)
        put(backend, "a", "b")
        server.restart()
        with contextlib.suppress(DriverError):
            backend.ping(soon(2))
        assert [one.id for one in backend.wait(["a", "b"], 2, soon())] == ["a", "b"]
    finally:
        server.stop()


def test_a_full_server_is_exhausted_and_keeps_what_it_has(site):
    backend = site.backend()
    put(backend, "a", status="STARTED")
    site.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(DriverError) as caught:
            put(backend, "a")
    finally:
        site.ask("CONFIG", "SET", "maxmemory", "0")
    assert caught.value.code is Code.EXHAUSTED
    assert backend.fetch(["a"], soon())[0].status == "STARTED"
