"""Keeping connections, one for each thread; every new one has a new number."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kernel.contracts.deadline import Deadline

Connect = Callable[[Deadline], Any]
Disconnect = Callable[[Any], None]
Number = Callable[[], int]


@dataclass(slots=True, eq=False)
class Handle:
    """One connection. ``epoch`` is its number; ``users`` how many calls run on it; ``broken`` ends it after them."""

    conn: Any
    epoch: int
    users: int = 0
    broken: bool = False


class Handles(Protocol):
    """Where a call gets its connection from."""

    def take(self, deadline: Deadline) -> Handle:
        """A living connection, made now if need be. Whatever ``connect`` raises passes through."""

    def give_back(self, handle: Handle) -> None:
        """The call has ended."""

    def drop(self, handle: Handle) -> None:
        """It is broken: the next ``take`` makes another."""

    def close(self) -> None:
        """End all: idle ones now, others when their calls end."""

    def abandon(self) -> list[Any]:
        """Forget all without a word to the server, for a forked child; the connections, for the last rites."""


class ThreadLocalHandles:
    """A connection for each thread, for client libraries whose connections are not to be shared.

    Those of threads that ended are closed when another thread connects.

    Args:
        connect: makes a connection within a deadline.
        disconnect: closes one; what it raises is ignored, as the connection may be broken.
        number: gives the next epoch.
    """

    def __init__(self, connect: Connect, disconnect: Disconnect, number: Number) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._number = number
        self._lock = threading.Lock()
        self._by_thread: dict[threading.Thread, Handle] = {}

    def take(self, deadline: Deadline) -> Handle:
        """See :meth:`Handles.take`."""
        thread = threading.current_thread()
        with self._lock:
            handle = self._by_thread.get(thread)
            if handle is not None and not handle.broken:
                handle.users += 1
                return handle
            orphans = [self._by_thread.pop(other) for other in list(self._by_thread) if not other.is_alive()]
        self._end(orphans)
        handle = Handle(self._connect(deadline), self._number(), users=1)
        with self._lock:
            self._by_thread[thread] = handle
        return handle

    def give_back(self, handle: Handle) -> None:
        """See :meth:`Handles.give_back`."""
        with self._lock:
            handle.users -= 1
            ended = handle.broken and not handle.users
        if ended:
            self._end([handle])

    def drop(self, handle: Handle) -> None:
        """See :meth:`Handles.drop`."""
        with self._lock:
            handle.broken = True

    def close(self) -> None:
        """See :meth:`Handles.close`."""
        with self._lock:
            handles = list(self._by_thread.values())
            self._by_thread.clear()
            idle = [handle for handle in handles if not handle.users and not handle.broken]
            for handle in handles:
                handle.broken = True
        self._end(idle)

    def abandon(self) -> list[Any]:
        """See :meth:`Handles.abandon`."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        handles, self._by_thread = self._by_thread, {}
        return [handle.conn for handle in handles.values()]

    def _end(self, handles: list[Handle]) -> None:
        for handle in handles:
            with contextlib.suppress(Exception):
                self._disconnect(handle.conn)
