"""From an address to a connection: redis-py opens sockets and speaks TLS, sentinels and clusters are asked the way."""

import contextlib
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

from kernel.contracts import Deadline
from kernel.errors import Code, DriverError
from plugin_common_redis.address import Address, Mode
from plugin_common_redis.errors import Denied, Elsewhere, ReplyError
from plugin_common_redis.wire import Wire, Word

OLDEST = (6, 2)
"""The oldest server whose commands are all here: counted pops, multiple scores."""


class Connector:
    """Connects to the server that holds a key.

    Args:
        address: where.
        tag: in a cluster, the hash tag that all keys share, without its braces.
    """

    def __init__(self, address: Address, tag: str = "") -> None:
        self._address = address
        self._tag = tag
        # redis-py takes a tenth of a second to import, which who only looks at plugins shall not wait for; imported
        # later than here it would stand in the memory of every child of a worker by itself, 5 MB each.
        self._library: Any = import_module("plugin_common_redis.library")

    def connect(self, deadline: Deadline) -> Wire:
        """A connection that is logged in, with its database chosen.

        Raises:
            Exception: of the client library, an OSError, a ReplyError, or a DriverError.
        """
        ways: dict[Mode, Callable[[Deadline], Wire]] = {
            Mode.SENTINEL: self._by_sentinel,
            Mode.CLUSTER: self._by_cluster,
        }
        return ways.get(self._address.mode, self._direct)(deadline)

    def _direct(self, deadline: Deadline) -> Wire:
        return self._at(self._address.nodes[0], deadline)

    def _by_sentinel(self, deadline: Deadline) -> Wire:
        """Ask the sentinels in turn who the master is; what they say may be old, so the master is asked, too."""

        def look(node: tuple[str, int]) -> Wire:
            with contextlib.closing(self._at(node, deadline, login=False)) as sentinel:
                found = sentinel.ask(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.master), deadline)
            if not found:
                raise Elsewhere(f"the sentinel {node[0]}:{node[1]} knows no master {self._address.master!r}")
            wire = self._at((found[0].decode(), int(found[1])), deadline)
            role = wire.ask(("ROLE",), deadline)[0]
            if role != b"master":
                wire.close()
                raise Elsewhere(f"the master {self._address.master!r} is a {role.decode()} now")
            return wire

        return self._first(look)

    def _by_cluster(self, deadline: Deadline) -> Wire:
        """Ask the nodes in turn who serves the slot of our keys."""
        slot: int = self._library.key_slot(self._tag.encode())

        def look(node: tuple[str, int]) -> Wire:
            wire = self._at(node, deadline)
            owner = next((row[2] for row in wire.ask(("CLUSTER", "SLOTS"), deadline) if row[0] <= slot <= row[1]), None)
            if owner is None:
                wire.close()
                raise Elsewhere(f"no node of the cluster serves slot {slot}")
            place = (owner[0].decode() or node[0], int(owner[1]))
            if place == node:
                return wire
            wire.close()
            return self._at(place, deadline)

        return self._first(look)

    def _first(self, look: Callable[[tuple[str, int]], Wire]) -> Wire:
        """What the first node that can help says."""
        errors: list[Exception] = []
        for node in self._address.nodes:
            try:
                return look(node)
            except (Denied, DriverError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the next node may help
                errors.append(error)
        raise errors[-1]

    def _at(self, node: tuple[str, int], deadline: Deadline, *, login: bool = True) -> Wire:
        wire = Wire(self._socket(node, deadline))
        try:
            self._greet(wire, deadline, login=login)
        except BaseException:
            wire.close()
            raise
        return wire

    def _greet(self, wire: Wire, deadline: Deadline, *, login: bool) -> None:
        words: list[Word] = ["HELLO", 3]
        if login and self._address.password is not None:
            words += ["AUTH", self._address.username or "default", self._address.password]
        elif login and self._address.username is not None:
            words += ["AUTH", self._address.username, ""]
        _check_age(wire.ask(words, deadline))
        if login and self._address.db:
            try:
                wire.ask(("SELECT", self._address.db), deadline)
            except Denied:
                raise
            except ReplyError as error:
                raise DriverError(
                    Code.INVALID, f"{self._address.name}: {error}", cure="Name a database that the server has."
                ) from error

    def _socket(self, node: tuple[str, int], deadline: Deadline) -> socket.socket:
        deadline.check(f"connecting to {self._address.name}")
        found: socket.socket = self._library.open_socket(self._address, node, max(0.001, deadline.left()))
        return found


def _check_age(hello: Any) -> None:
    """Refuse a server that lacks commands.

    Raises:
        DriverError: UNSUPPORTED.
    """
    version = (hello.get(b"version") or b"").decode() if isinstance(hello, dict) else ""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST:
        raise DriverError(
            Code.UNSUPPORTED,
            f"The Redis server is version {version}",
            cure=f"Use {OLDEST[0]}.{OLDEST[1]} or later.",
        )
