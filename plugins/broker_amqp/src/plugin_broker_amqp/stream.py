"""A socket that does not block: bytes in and out, with TLS or without, each call with its time."""

import contextlib
import select
import socket
import ssl
import threading
from typing import Any, Final

from kernel.contracts import Deadline

READ: Final = 262_144
_AGAIN: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Stream:
    """Wraps a connected socket in non-blocking mode. One thread may read while another writes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        self._glance = select.poll()  # for the one look that every publish takes
        self._glance.register(sock, select.POLLIN)
        # OpenSSL's objects are not for two threads at once; plain sockets are.
        self._one: contextlib.AbstractContextManager[Any] = (
            threading.Lock() if self._is_tls else contextlib.nullcontext()
        )

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it.

        Raises:
            TimeoutError: the deadline passed; nobody knows how much was sent.
            OSError: the connection is lost.
        """
        view = memoryview(data)
        while view:
            try:
                with self._one:
                    sent = self._sock.send(view)
                if sent == len(view):
                    return
                view = view[sent:]
            except _AGAIN:
                if not self._ready(select.POLLOUT, deadline.left(), None):
                    raise TimeoutError("the server does not read") from None

    def read(self, wait_s: float, wake: int | None) -> bytes | None:
        """What is there, waiting so long for the first byte, or until ``wake`` is readable; None when nothing came.

        Raises:
            OSError: the connection is lost, or the other side closed it.
        """
        try:
            if not self._buffered() and not self._ready(select.POLLIN, wait_s, wake):
                return None
            with self._one:
                data = self._sock.recv(READ)
        except _AGAIN:
            return None
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data

    def shut(self) -> None:
        """End it for both directions; whoever waits for it stops waiting."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back. Nobody may be waiting."""
        with contextlib.suppress(OSError):
            self._sock.close()

    def _buffered(self) -> bool:
        """Whether TLS has read more from the socket than it gave out."""
        if not isinstance(self._sock, ssl.SSLSocket):
            return False
        with self._one:
            return self._sock.pending() > 0

    def _ready(self, events: int, wait_s: float, wake: int | None) -> bool:
        number = self._sock.fileno()
        if number < 0:
            raise ConnectionAbortedError("the socket is closed")
        if events == select.POLLIN and wake is None and not wait_s:
            return bool(self._glance.poll(0))
        poll = select.poll()
        poll.register(number, events)
        if wake is not None and wake >= 0:
            poll.register(wake, select.POLLIN)
        return number in dict(poll.poll(max(0.0, wait_s) * 1000))


def discard(connection: Any) -> None:
    """Close the socket and nothing else: not a byte is sent, so that it is right in a forked child, too."""
    transport: Any = getattr(connection, "_transport", None)
    sock = None if transport is None else transport.sock
    if sock is None:
        return
    transport.sock = None  # its destructor would shut the connection down, which is the parent's after a fork
    transport.connected = False
    with contextlib.suppress(OSError):
        sock.close()
