"""A TCP proxy that spoils connections on purpose: cuts, resets, black holes, latency, little bandwidth."""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK = 16_384


@dataclass(slots=True)
class Trouble:
    """What the proxy does to new and existing connections. Change it while connections are open.

    Attributes:
        black_hole: bytes are taken and never passed on; nothing is closed.
        refuse: new connections are reset at once.
        latency_s: every piece is delayed so long, in each direction.
        bytes_per_s: the bandwidth of each direction; 0 means unbounded.
        cut_request_at: reset a connection after so many bytes to the server; None never.
        cut_reply_at: reset a connection after so many bytes to the client; None never.
        cut_replies: reset a connection when the next bytes for the client come; they are not passed on.
    """

    black_hole: bool = False
    refuse: bool = False
    latency_s: float = 0.0
    bytes_per_s: float = 0.0
    cut_request_at: int | None = None
    cut_reply_at: int | None = None
    cut_replies: bool = False


@dataclass(slots=True)
class _Link:
    """One connection through the proxy."""

    client: socket.socket
    server: socket.socket
    to_server: int = 0
    to_client: int = 0
    threads: list[threading.Thread] = field(default_factory=list)


class ChaosProxy:
    """Listens on a free loopback port and passes bytes to ``upstream``, as badly as :attr:`trouble` says.

    Attributes:
        trouble: the present conditions.
        accepted: connections taken so far.
        requests, replies: bytes passed on in each direction so far.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="chaos-proxy", daemon=True)
        self.trouble = Trouble()
        self.accepted = 0
        self.requests = 0
        self.replies = 0
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    @property
    def open_links(self) -> int:
        """Connections that are open now."""
        with self._lock:
            return len(self._links)

    def heal(self) -> None:
        """From now on nothing is spoiled; what was cut stays cut."""
        self.trouble = Trouble()

    def reset(self) -> int:
        """Reset every open connection (RST); how many there were."""
        with self._lock:
            links = list(self._links)
        for link in links:
            self._drop(link)
        return len(links)

    def close(self) -> None:
        """Stop listening and drop everything."""
        self._closed = True
        with contextlib.suppress(OSError):  # it was not accepting any more
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        self.accepted += 1
        if self.trouble.refuse:
            _reset(client)
            return
        try:
            server = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        with self._lock:
            self._links.append(link)
        if self._closed or self.trouble.refuse:  # since it was taken: whoever reset them all did not see this one
            self._drop(link)
            return
        for upward in (True, False):
            thread = threading.Thread(target=self._pump, args=(link, upward), name="chaos-proxy-pump", daemon=True)
            link.threads.append(thread)
            thread.start()

    def _pump(self, link: _Link, upward: bool) -> None:
        source, target = (link.client, link.server) if upward else (link.server, link.client)
        try:
            while data := source.recv(CHUNK):
                if not self._pass(link, target, data, upward):
                    break
        except OSError:
            pass  # reset by either side, or by us
        self._drop(link)

    def _pass(self, link: _Link, target: socket.socket, data: bytes, upward: bool) -> bool:
        """Pass one piece on; False when the connection is to be cut."""
        trouble = self.trouble
        if trouble.latency_s:
            time.sleep(trouble.latency_s)
        if trouble.bytes_per_s:
            time.sleep(len(data) / trouble.bytes_per_s)
        if self.trouble.black_hole:
            return True
        if trouble.cut_replies and not upward:
            return False
        limit = trouble.cut_request_at if upward else trouble.cut_reply_at
        sent = link.to_server if upward else link.to_client
        allowed = len(data) if limit is None else max(0, min(len(data), limit - sent))
        target.sendall(data[:allowed])
        if upward:
            link.to_server += allowed
            self.requests += allowed
        else:
            link.to_client += allowed
            self.replies += allowed
        return limit is None or sent + allowed < limit

    def _drop(self, link: _Link) -> None:
        with self._lock:
            if link not in self._links:
                return
            self._links.remove(link)
        _reset(link.client)
        _reset(link.server)


def _reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN: unread and unsent data is thrown away."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # it is gone already
    connection.close()
