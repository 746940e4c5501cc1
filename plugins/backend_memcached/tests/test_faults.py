"""Servers that are slow, killed, restarted or silent: the true value, or a typed error by the deadline."""

import threading
import time

import pytest

from kernel.contracts import Deadline, PluginContext, Record, StoreMode
from kernel.errors import Applied, Code, DriverError
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.servers.memcached import MemcachedServer
from plugin_backend_memcached.backend import MemcachedBackend

pytestmark = pytest.mark.timed

IDS = [f"id-{number}" for number in range(200)]
LATE_S = 3.0


def soon(seconds=20.0):
    return Deadline.after(seconds)


def fill(backend):
    results = backend.store([Record(one, "SUCCESS", f'"{one}"'.encode()) for one in IDS], StoreMode.UPSERT, soon())
    assert all(result.stored for result in results)


def until(check, seconds=20.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_lost_server_is_an_error_and_never_a_missing_value(fleet, backend_at):
    backend = backend_at(*[one.address for one in fleet])
    fill(backend)
    fleet[0].kill()
    errors = []
    for one in IDS:
        try:
            (found,) = backend.fetch([one], soon(2))
        except DriverError as error:
            errors.append(error)
        else:
            assert found is not None
            assert found.result == f'"{one}"'.encode()
    lost = len(errors)
    assert 20 < lost < len(IDS) - 20
    for error in errors:
        assert error.code is Code.UNAVAILABLE
        assert str(fleet[0].address[1]) in str(error)
    with pytest.raises(DriverError):
        backend.fetch(IDS, soon(2))
    results = backend.store([Record(one, "STARTED") for one in IDS], StoreMode.IF_NOT_FINAL, soon(5))
    assert sum(result.error is not None for result in results) == lost
    assert {result.error.code for result in results if result.error is not None} == {Code.UNAVAILABLE}
    fleet[0].start()
    found = backend.fetch(IDS, soon())
    assert sum(one is None for one in found) == lost


def test_after_a_restart_the_first_call_works(fleet, backend_at):
    backend = backend_at(fleet[0].address)
    threads = [threading.Thread(target=backend.fetch, args=(IDS, soon())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fleet[0].restart()
    for _ in range(20):
        assert backend.fetch(["id-1"], soon()) == [None]


def test_a_server_that_falls_silent_among_many_reads(server):
    values, errors, lates = [], [], []
    with ChaosProxy(server.address) as proxy:
        host, port = proxy.address
        backend = MemcachedBackend(f"memcached://{host}:{port}", {}, PluginContext("silent"))
        with backend:
            fill(backend)
            stop = threading.Event()

            def read(number):
                while not stop.is_set():
                    one, began = IDS[number], time.monotonic()
                    try:
                        (found,) = backend.fetch([one], soon(0.5))
                        values.append(found is not None and found.result == f'"{one}"'.encode())
                    except DriverError as error:
                        errors.append(error.code)
                    lates.append(time.monotonic() - began)

            threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            until(lambda: len(values) > 300)
            proxy.trouble.black_hole = True
            until(lambda: len(errors) > 12)
            proxy.heal()
            proxy.reset()
            seen = len(values)
            until(lambda: len(values) > seen + 300)
            stop.set()
            for thread in threads:
                thread.join()
    assert all(values), "a value was missing or wrong"
    assert set(errors) <= {Code.TIMEOUT, Code.UNAVAILABLE}
    assert max(lates) < 0.5 + LATE_S


def test_a_slow_server_keeps_to_the_deadline_of_the_whole_call(server):
    with ChaosProxy(server.address) as proxy:
        host, port = proxy.address
        with MemcachedBackend(f"memcached://{host}:{port}", {}, PluginContext("slow")) as backend:
            record = Record("big", "SUCCESS", b'"' + b"x" * 500_000 + b'"')
            assert backend.store([record], StoreMode.UPSERT, soon())[0].stored
            proxy.trouble.bytes_per_s = 50_000
            began = time.monotonic()
            with pytest.raises(DriverError) as caught:
                backend.fetch(["big"], soon(1))
            assert caught.value.code is Code.TIMEOUT
            assert time.monotonic() - began < 1 + LATE_S


def test_waiting_through_a_restart_of_the_server(fleet, backend_at):
    backend = backend_at(fleet[0].address)
    fleet[0].kill()
    with pytest.raises(DriverError) as caught:
        backend.wait(["x"], 1, soon(5))
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.retryable
    assert caught.value.outcome is Applied.NOT_APPLIED
    fleet[0].start()
    backend.store([Record("x", "SUCCESS", b"1")], StoreMode.UPSERT, soon())
    assert [one.id for one in backend.wait(["x"], 1, soon())] == ["x"]


def test_a_join_that_lost_payloads_is_an_error(fleet, backend_at, raw_at):
    backend = backend_at(*[one.address for one in fleet])
    members = [f"{number:06d}:id" for number in range(40)]
    for member in members[:-1]:
        backend.join("j", member, b"[1]", 40, 600, soon())
    next(one for one in fleet if raw_at(one.address).get("celery-join-j") is None).restart()
    with pytest.raises(DriverError) as caught:
        backend.join("j", members[-1], b"[1]", 40, 600, soon())
    assert caught.value.code is Code.EXHAUSTED
    assert not caught.value.retryable
    assert "payloads" in str(caught.value)


def test_tls(backend_at):
    server = MemcachedServer(tls=True)
    server.start()
    try:
        backend = backend_at(server.address, tls=True, tls_ca=str(server.authority))
        record = Record("x", "SUCCESS", b'"' + b"y" * 900_000 + b'"')
        assert backend.store([record], StoreMode.UPSERT, soon())[0].stored
        assert backend.fetch(["x"], soon()) == [record]
        with pytest.raises(DriverError) as caught:
            backend_at(server.address, tls=True)
        assert caught.value.code is Code.AUTH
        with pytest.raises(DriverError) as caught:
            backend_at(server.address).ping(soon(5))
        assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(DriverError) as caught:
            backend_at(server.address, tls=True, tls_ca="/nowhere")
        assert caught.value.code is Code.INVALID
    finally:
        server.stop()
