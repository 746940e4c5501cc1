"""The servers, and which of them has a key. A key's server never changes, whether it can be reached or not."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from pymemcache.client.rendezvous import RendezvousHash
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
    MemcacheUnknownCommandError,
    MemcacheUnknownError,
)

from kernel.contracts.deadline import Deadline
from kernel.contracts.simple import Natives
from kernel.contracts.simple.line import Line
from kernel.errors import Code
from plugin_backend_memcached.address import Node
from plugin_backend_memcached.connection import Connection
from plugin_backend_memcached.pool import Pool
from plugin_backend_memcached.tls import Tls

ERRORS = {
    MemcacheUnexpectedCloseError: Code.UNAVAILABLE,
    MemcacheServerError: Code.UNAVAILABLE,
    MemcacheUnknownCommandError: Code.UNSUPPORTED,
    MemcacheClientError: Code.INVALID,
    MemcacheUnknownError: Code.CORRUPT,
    ssl.SSLCertVerificationError: Code.AUTH,
}


class Fleet:
    """Every server of the URL, each with its pool of connections.

    Keys are placed as Celery's client places them, so that both find them. Unlike that client nothing is moved to
    another server when one is lost: a call that needs it fails, rather than finding nothing there.

    Args:
        nodes: the servers.
        tls: how to speak TLS, or None.
    """

    def __init__(self, nodes: Iterable[Node], tls: Tls | None) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._tls = tls
        self._hash = RendezvousHash(list(self._nodes))
        self._lines = {name: self._line(node) for name, node in self._nodes.items()}

    def open(self, deadline: Deadline) -> None:
        """Connect to every server once.

        Raises:
            DriverError: what connecting to one of them came to.
        """
        for line in self._lines.values():
            line.handles.give_back(line.connected(deadline))
        for line in self._lines.values():
            line.opened = True

    def close(self) -> None:
        """No more calls; connections end now, or when the calls on them do."""
        for line in self._lines.values():
            line.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited connections, which says nothing to the servers."""
        for line in self._lines.values():
            for connection in line.handles.abandon():
                connection.close()

    def check_open(self) -> None:
        """Refuse to go on after ``close``.

        Raises:
            DriverError: CLOSED.
        """
        for line in self._lines.values():
            line.check_open()

    def ping(self, deadline: Deadline) -> None:
        """One round trip to every server."""
        for line in self._lines.values():
            with line.call("ping", deadline) as handle:
                handle.conn.version()

    def home(self, key: str) -> str:
        """The name of the server that has a key."""
        if len(self._lines) == 1:
            return next(iter(self._lines))
        name: str = self._hash.get_node(key)
        return name

    def by_home(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """Keys by the name of their server, each once."""
        found: dict[str, list[str]] = {}
        for key in dict.fromkeys(keys):
            found.setdefault(self.home(key), []).append(key)
        return found

    @contextmanager
    def at(self, name: str, what: str, deadline: Deadline) -> Iterator[Connection]:
        """A connection to a server, for one call.

        Raises:
            DriverError: what connecting, or the call inside, came to.
        """
        with self._lines[name].call(what, deadline) as handle:
            yield handle.conn

    def values(self, keys: Iterable[str], what: str, deadline: Deadline) -> dict[str, bytes]:
        """The values that are there, from wherever they are."""
        found: dict[str, bytes] = {}
        for name, ours in self.by_home(keys).items():
            with self.at(name, what, deadline) as connection:
                found |= connection.values(ours)
        return found

    def remove(self, keys: Iterable[str], what: str, deadline: Deadline) -> int:
        """Delete values; how many were there."""
        gone = 0
        for name, ours in self.by_home(keys).items():
            with self.at(name, what, deadline) as connection:
                gone += connection.send([connection.remove(key) for key in ours]).count(b"DELETED")
        return gone

    def _line(self, node: Node) -> Line:
        name = f"memcached {node.name}"
        return Line(Pool(partial(Connection, node, self._tls)), Natives(name, ERRORS), name)
