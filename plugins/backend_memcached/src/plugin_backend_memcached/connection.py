"""One connection: the client library's, with a bound on the time of a whole call and many commands at a time."""

import select
import socket
from collections.abc import Iterable, Sequence

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError, MemcacheUnexpectedCloseError

from kernel.contracts.deadline import Deadline
from kernel.errors import Applied, Code, DriverError
from plugin_backend_memcached.address import Node
from plugin_backend_memcached.tls import Tls

AT_ONCE = 250
"""Commands, or keys, sent before the answers are read."""
BYTES_AT_ONCE = 1 << 20
STORED = b"STORED"


class TimedSocket:
    """A connected socket whose calls together keep to one deadline, however many there are."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        self._allow()
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        """Receive what is there."""
        self._allow()
        return self._socket.recv(size)

    def close(self) -> None:
        """Close it, without a word."""
        self._socket.close()

    @property
    def usable(self) -> bool:
        """Whether it is as an idle connection must be: an end, or an answer nobody asked for, would be readable."""
        number = self._socket.fileno()
        if number < 0:
            return False
        readable = select.poll()
        readable.register(number, select.POLLIN)
        return not readable.poll(0)

    def _allow(self) -> None:
        left = self.deadline.left()
        if not left:
            raise TimeoutError("the deadline has passed")
        self._socket.settimeout(left)


class Connection(Client):  # type: ignore[misc] # pymemcache ships no types
    """A connection to one server, for one call at a time. It connects once: when it breaks, another one is made.

    Args:
        node: the server.
        tls: how to speak TLS, or None.
        deadline: until when it must be connected.

    Raises:
        OSError: when it is not connected.
    """

    def __init__(self, node: Node, tls: Tls | None, deadline: Deadline) -> None:
        super().__init__(node.target, no_delay=True, default_noreply=False)
        self.timed = TimedSocket(_connected(node, tls, deadline), deadline)
        self.sock = self.timed

    def values(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values that are there."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), AT_ONCE):
            found |= self.get_many(keys[start : start + AT_ONCE])
        return found

    def tokens(self, keys: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
        """The values that are there, each with the token that ``cas`` needs."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for start in range(0, len(keys), AT_ONCE):
            found |= self.gets_many(keys[start : start + AT_ONCE])
        return found

    def send(self, commands: Iterable[bytes]) -> list[bytes]:
        """Send commands that are answered by one line each; the lines."""
        answers: list[bytes] = []
        batch: list[bytes] = []
        for command in commands:
            batch.append(command)
            if len(batch) == AT_ONCE or sum(map(len, batch)) > BYTES_AT_ONCE:
                answers += self._exchange(batch)
                batch = []
        return answers + self._exchange(batch) if batch else answers

    def write(self, verb: str, key: str, value: bytes, expire: int, token: bytes | None = None) -> bytes:
        """The command that stores a value; flags 0, as Celery writes them."""
        name = self.check_key(key, b"")
        extra = b"" if token is None else b" " + token
        head = b"%s %s 0 %d %d%s\r\n" % (verb.encode(), name, expire, len(value), extra)
        return head + value + b"\r\n"

    def add(self, key: str, number: int) -> bytes:
        """The command that adds to a number, and is answered by the sum."""
        return b"incr %s %d\r\n" % (self.check_key(key, b""), number)

    def renew(self, key: str, expire: int) -> bytes:
        """The command that gives a value another time to live."""
        return b"touch %s %d\r\n" % (self.check_key(key, b""), expire)

    def remove(self, key: str) -> bytes:
        """The command that deletes a value."""
        return b"delete %s\r\n" % self.check_key(key, b"")

    def _exchange(self, commands: list[bytes]) -> list[bytes]:
        try:
            lines: list[bytes] = self._misc_cmd(commands, b"", False)
        except MemcacheServerError as error:
            raise _refusal(error) from error
        return lines

    def _connect(self) -> None:
        """Called by the library when the connection broke in the middle of a call."""
        raise MemcacheUnexpectedCloseError("the connection is lost")


def _connected(node: Node, tls: Tls | None, deadline: Deadline) -> socket.socket:
    deadline.check(f"connecting to {node.name}")
    if not node.port:
        local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        local.settimeout(deadline.left())
        try:
            local.connect(node.host)
        except OSError:
            local.close()
            raise
        return local
    plain = socket.create_connection((node.host, node.port), timeout=deadline.left())
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return plain
    try:
        return tls.wrap(plain, node.host)
    except (OSError, DriverError):
        plain.close()
        raise


def _refusal(error: MemcacheServerError) -> DriverError:
    """What the server said it cannot do."""
    said = " ".join(part.decode("ascii", "replace") if isinstance(part, bytes) else str(part) for part in error.args)
    if "too large" in said:
        return DriverError(
            Code.TOO_LARGE,
            f"The server takes no item of that size: {said}",
            cure="Set the option item_size to what the servers' -I says.",
        )
    if "out of memory" in said:
        return DriverError(Code.EXHAUSTED, f"The server has no room: {said}", cure="Give it more memory (-m).")
    return DriverError(Code.UNAVAILABLE, f"The server refused: {said}", outcome=Applied.UNKNOWN)
