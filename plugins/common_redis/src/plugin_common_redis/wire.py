"""Requests and replies over one socket, by a deadline: the protocol of Redis, version 3 (RESP3).

The client library connects; the hot path is here, because only here every wait can be bounded by one deadline, a batch
is one write, a blocked wait can be woken from outside, and pushed frames stand beside replies.
"""

import contextlib
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from kernel.contracts import Deadline
from plugin_common_redis.errors import ReplyError, reply_error

Word = bytes | str | int | float
CHUNK: Final = 1 << 16
_SHORTEST_S: Final = 0.001
"""A socket timeout of 0 would mean not to block at all."""


def packed(words: Sequence[Word]) -> bytes:
    """One command as bytes."""
    return b"*%d\r\n%b" % (len(words), packed_words(words))


def packed_words(words: Sequence[Word]) -> bytes:
    """Some of a command's words as bytes."""
    parts = []
    for word in words:
        if type(word) is not bytes:
            word = (word if type(word) is str else str(word)).encode()  # noqa: PLW2901 - what goes out
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


class Wire:
    """One connection. Not for two threads at once.

    Args:
        connection: a connected socket; it belongs to the wire from now on.

    Attributes:
        pushes: frames the server sent on its own account, oldest first.
        usable: whether it is open, and nothing is owed on it: a call that was interrupted leaves replies behind that
            the next one would take for its own.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._poll: select.poll | None = None
        if not isinstance(connection, ssl.SSLSocket):
            # A socket with a timeout costs three system calls more for each request: two to set it, one to look whether
            # it may be written to. TLS may want to read before it writes, which the library knows how to wait for.
            connection.setblocking(False)
            self._poll = select.poll()
            self._poll.register(connection, select.POLLIN)
        self._data = bytearray()
        self._at = 0
        self._deadline = Deadline(0.0)
        self._idle_s: float | None = None
        self._owed = 0
        self._open = True
        self.pushes: deque[list[Any]] = deque()

    def ask(self, words: Sequence[Word], deadline: Deadline) -> Any:
        """One command and its reply.

        Raises:
            ReplyError: what the server refused.
            OSError: the connection is gone; TimeoutError when the deadline passed.
        """
        [reply] = self.ask_all([words], deadline)
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def ask_all(self, commands: Sequence[Sequence[Word]], deadline: Deadline, idle_s: float | None = None) -> list[Any]:
        """Several commands in one write, and their replies; a refusal stands in its place as a ReplyError.

        Args:
            commands: what to ask.
            deadline: when to give up.
            idle_s: instead, give up when nothing at all came for so long: what is slow is not dead.

        Raises:
            OSError: as for :meth:`ask`.
        """
        self._owed += len(commands)
        self.send(b"".join(map(packed, commands)), deadline)
        self._deadline, self._idle_s = deadline, idle_s
        return [self._reply() for _ in commands]

    def ask_packed(self, command: bytes, deadline: Deadline) -> Any:
        """One command that is bytes already; its reply, which may be a ReplyError.

        Raises:
            OSError: as for :meth:`ask`.
        """
        self._owed += 1
        self.send(command, deadline)
        self._deadline, self._idle_s = deadline, None
        return self._reply()

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write, without waiting for a reply."""
        if self._poll is None:
            self._socket.settimeout(max(_SHORTEST_S, deadline.left()))
            self._socket.sendall(data)
            return
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                self._await(select.POLLOUT, deadline.left())

    @property
    def usable(self) -> bool:
        """See the class."""
        return self._open and not self._owed

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def buffered(self) -> bool:
        """Whether there is something to read that no poll would tell of."""
        return self._at < len(self._data) or self._pending()

    def read_push(self, deadline: Deadline) -> None:
        """Read one frame that was pushed, into :attr:`pushes`."""
        self._deadline, self._idle_s = deadline, None
        value = self._value()
        if not isinstance(value, _Push):
            raise ConnectionError(f"a reply nobody asked for: {value!r:.80}")
        self.pushes.append(value.items)
        self._forget_read()

    def close(self) -> None:
        """End the connection; another thread blocked on it is set free."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.abandon()

    def abandon(self) -> None:
        """Forget the connection without a word to the server, for a forked child."""
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.close()

    def _pending(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _reply(self) -> Any:
        while True:
            value = self._value()
            if not isinstance(value, _Push):
                break
            self.pushes.append(value.items)
        self._owed -= 1
        self._forget_read()
        return value

    def _forget_read(self) -> None:
        if self._at == len(self._data):
            self._data.clear()
            self._at = 0

    def _value(self) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self._bulk(int(rest))
        read = _SIMPLE.get(kind)
        if read is not None:
            return read(rest)
        return self._aggregate(kind, int(rest))

    def _aggregate(self, kind: bytes, count: int) -> Any:
        if count < 0:
            return None
        if kind == b"%":
            return {self._value(): self._value() for _ in range(count)}
        items = [self._value() for _ in range(count)]
        if kind in {b"*", b"~"}:
            return items
        if kind == b">":
            return _Push(items)
        raise ConnectionError(f"this is no Redis: it sent {kind!r}")

    def _line(self) -> bytes:
        start = self._at
        while (end := self._data.find(b"\r\n", start)) < 0:
            start = max(self._at, len(self._data) - 1)
            self._fill()
        line = bytes(self._data[self._at : end])
        self._at = end + 2
        return line

    def _bulk(self, size: int) -> bytes | None:
        if size < 0:
            return None
        end = self._at + size
        while len(self._data) < end + 2:
            self._fill()
        value = bytes(self._data[self._at : end])
        self._at = end + 2
        return value

    def _fill(self) -> None:
        left = self._deadline.left() if self._idle_s is None else self._idle_s
        if self._poll is None:
            self._socket.settimeout(max(_SHORTEST_S, left))
        else:
            self._await(select.POLLIN, left)
        data = self._socket.recv(CHUNK)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._data += data

    def _await(self, what: int, left: float) -> None:
        """Wait until the socket takes or has something.

        Raises:
            TimeoutError: the time is over.
        """
        poll = self._poll
        if what == select.POLLOUT or poll is None:
            poll = select.poll()
            poll.register(self._socket, what)
        if not poll.poll(max(_SHORTEST_S, left) * 1000):
            raise TimeoutError("timed out")


class _Push:
    """A pushed frame, told from a reply."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items = items


_SIMPLE: Final[dict[bytes, Callable[[bytes], Any]]] = {
    b":": int,
    b"+": bytes,
    b"-": lambda text: reply_error(text.decode(errors="replace")),
    b"_": lambda _: None,
    b"#": lambda text: text == b"t",
    b",": float,
    b"(": int,
}
