"""The proxy passes bytes on, and spoils them in each of its ways."""

import contextlib
import socket
import threading
import time

import pytest

from kernel_conformance.proxy import ChaosProxy, Trouble


@pytest.fixture
def echo():
    """The address of a server that answers with what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(data)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture
def proxy(echo):
    with ChaosProxy(echo) as made:
        yield made


@pytest.fixture
def client(proxy):
    with socket.create_connection(proxy.address, timeout=5) as made:
        yield made


def say(client, data):
    client.sendall(data)
    found = b""
    while len(found) < len(data):
        more = client.recv(4096)
        if not more:
            break
        found += more
    return found


def test_bytes_pass(proxy, client):
    assert say(client, b"hello" * 5000) == b"hello" * 5000
    assert (proxy.accepted, proxy.open_links, proxy.requests) == (1, 1, 25_000)


def test_reset(proxy, client):
    say(client, b"x")
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.open_links == 0


def test_a_request_is_cut_at_its_byte(proxy, client):
    proxy.trouble = Trouble(cut_request_at=3)
    with pytest.raises(ConnectionResetError):
        assert say(client, b"abcdef") == b"never"
    assert proxy.requests == 3


def test_an_answer_is_cut_at_its_byte(proxy, client):
    proxy.trouble = Trouble(cut_reply_at=2)
    found = b""
    with contextlib.suppress(ConnectionResetError):
        client.sendall(b"abcdef")
        while more := client.recv(10):
            found += more
    assert len(found) <= 2
    assert proxy.replies == 2


def test_answers_are_cut(proxy, client):
    proxy.trouble = Trouble(cut_replies=True)
    with pytest.raises(ConnectionResetError):
        say(client, b"abc")
    assert (proxy.requests, proxy.replies) == (3, 0)


def test_a_black_hole_swallows_and_closes_nothing(proxy, client):
    proxy.trouble = Trouble(black_hole=True)
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        say(client, b"abc")
    proxy.heal()
    client.settimeout(5)
    assert say(client, b"d") == b"d"


def test_new_connections_are_refused(proxy):
    proxy.trouble = Trouble(refuse=True)

    def call():
        with socket.create_connection(proxy.address, timeout=5) as client:
            return say(client, b"x")

    with pytest.raises(ConnectionError):
        assert call() == b"never"


def test_latency_and_bandwidth(proxy, client):
    proxy.trouble = Trouble(latency_s=0.1)
    started = time.monotonic()
    say(client, b"x")
    assert time.monotonic() - started >= 0.2
    proxy.trouble = Trouble(bytes_per_s=10_000)
    started = time.monotonic()
    say(client, b"x" * 2000)
    assert time.monotonic() - started >= 0.3


def test_a_connection_that_is_being_made_while_all_are_reset_is_reset_too(proxy, monkeypatch):
    connect = socket.create_connection

    def slowly(address, *args, **kwargs):
        made = connect(address, *args, **kwargs)
        proxy.trouble.refuse = True
        proxy.reset()
        return made

    with connect(proxy.address, timeout=5) as made:
        monkeypatch.setattr("kernel_conformance.proxy.socket.create_connection", slowly)
        with contextlib.suppress(ConnectionResetError), connect(proxy.address, timeout=5) as late:
            late.sendall(b"x")
            assert late.recv(10) == b""
        assert proxy.open_links == 0
        with contextlib.suppress(ConnectionResetError):
            assert made.recv(10) == b""
