"""A server that is slow, killed, restarted or silent: the true value, or a typed error by the deadline."""

import threading
import time

import pytest

from kernel.contracts import Deadline, Record, StoreMode
from kernel.errors import Code, DriverError
from kernel_conformance.proxy import ChaosProxy

pytestmark = pytest.mark.timed

IDS = [f"id-{number}" for number in range(100)]
LATE_S = 3.0


def soon(seconds=20.0):
    return Deadline.after(seconds)


def fill(backend):
    results = backend.store([Record(one, "SUCCESS", f'"{one}"'.encode()) for one in IDS], StoreMode.UPSERT, soon())
    assert all(result.stored for result in results)


def until(check, seconds=30.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def read_all(backend, proxy, spoil, mend):
    """Read in six threads while the connection is spoiled and mended; what they saw."""
    right, errors, longest = [], [], [0.0]
    stop = threading.Event()

    def read(number):
        while not stop.is_set():
            one, began = IDS[number], time.monotonic()
            try:
                (found,) = backend.fetch([one], soon(0.5))
                right.append(found is not None and found.result == f'"{one}"'.encode())
            except DriverError as error:
                errors.append(error.code)
            longest[0] = max(longest[0], time.monotonic() - began)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(right) > 100)
        spoil()
        until(lambda: len(errors) > 6)
        mend()
        seen = len(right)
        until(lambda: len(right) > seen + 100)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(right), "a value was missing or wrong"
    assert set(errors) <= {Code.TIMEOUT, Code.UNAVAILABLE}
    assert longest[0] < 0.5 + LATE_S


def test_a_server_that_falls_silent_among_many_reads(server, backend_at):
    with ChaosProxy(server.address) as proxy:
        backend = backend_at(proxy.address)
        fill(backend)

        def spoil():
            proxy.trouble.black_hole = True

        def mend():
            proxy.heal()
            proxy.reset()

        read_all(backend, proxy, spoil, mend)


def test_a_server_that_is_killed_and_comes_back_among_many_reads(own_server, backend_at):
    backend = backend_at(own_server.address)
    fill(backend)
    read_all(backend, None, own_server.kill, own_server.start)


def test_a_server_that_is_away_is_named_soon(own_server, backend_at):
    backend = backend_at(own_server.address, server_selection_s=0.5)
    own_server.kill()
    began = time.monotonic()
    for call in (
        lambda: backend.fetch(["x"], soon(30)),
        lambda: backend.store([Record("x", "STARTED")], StoreMode.IF_NOT_FINAL, soon(30)),
        lambda: backend.add("c", 1, None, soon(30)),
        lambda: backend.join("j", "m", b"", 1, None, soon(30)),
        lambda: backend.wait(["x"], 1, soon(30)),
    ):
        with pytest.raises(DriverError) as caught:
            call()
        assert caught.value.code is Code.UNAVAILABLE
        assert caught.value.retryable
        assert str(own_server.address[1]) in str(caught.value)
        assert "Topology" not in str(caught.value)
    assert time.monotonic() - began < 20


def test_a_slow_server_keeps_to_the_deadline_of_the_whole_call(server, backend_at):
    with ChaosProxy(server.address) as proxy:
        backend = backend_at(proxy.address)
        record = Record("big", "SUCCESS", b'"' + b"x" * 500_000 + b'"')
        assert backend.store([record], StoreMode.UPSERT, soon())[0].stored
        proxy.trouble.bytes_per_s = 50_000
        began = time.monotonic()
        with pytest.raises(DriverError) as caught:
            backend.fetch(["big"], soon(1))
        assert caught.value.code in {Code.TIMEOUT, Code.UNAVAILABLE}
        assert time.monotonic() - began < 1 + LATE_S


def test_a_join_whose_winner_dies_is_won_again_after_a_restart(own_server, backend_at):
    backend = backend_at(own_server.address)
    for member in ("000000:a", "000001:b"):
        state = backend.join("j", member, member.encode(), 2, 600, soon())
    assert state.won
    own_server.restart()

    def wins_again():
        try:
            return backend.join("j", "000001:b", b"", 2, 600, soon(5)).payloads == (b"000000:a", b"000001:b")
        except DriverError:
            return False

    until(wins_again)


def test_waiting_is_woken_by_a_change_stream(server, backend_at):
    backend, other = backend_at(server.address, change_streams=True), backend_at(server.address)
    assert backend.capabilities().notify
    waited = []

    def wait():
        waited.extend(backend.wait(["a", "b"], 2, soon(30)))

    thread = threading.Thread(target=wait)
    thread.start()
    other.store([Record("a", "STARTED"), Record("b", "FAILURE", b"1")], StoreMode.UPSERT, soon())
    time.sleep(2.0)  # the pauses between two looks are long by now
    other.store([Record("a", "SUCCESS", b"1")], StoreMode.UPSERT, soon())
    stored = time.monotonic()
    thread.join(30)
    assert [one.id for one in waited] == ["a", "b"]
    assert time.monotonic() - stored < 0.4 + LATE_S


def test_waiting_survives_the_end_of_its_change_stream(own_server, backend_at):
    backend = backend_at(own_server.address, change_streams=True)
    waited = []

    def wait():
        end = soon(60)
        while not waited and not end.passed:
            try:
                waited.extend(backend.wait(["a"], 1, end))
            except DriverError:
                time.sleep(0.1)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.5)
    own_server.restart()
    until(lambda: _stored(backend))
    thread.join(60)
    assert [one.id for one in waited] == ["a"]


def _stored(backend):
    try:
        return backend.store([Record("a", "SUCCESS", b"1")], StoreMode.UPSERT, soon(5))[0].stored
    except DriverError:
        return False
