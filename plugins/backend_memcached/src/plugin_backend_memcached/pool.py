"""Idle connections of one server, kept for the next call of whatever thread."""

import contextlib
import threading
from collections.abc import Callable, Iterable

from kernel.contracts.deadline import Deadline
from kernel.contracts.simple import Handle
from plugin_backend_memcached.connection import Connection

KEPT = 16
"""Idle connections that are not closed."""


class Pool:
    """Implements :class:`kernel.contracts.simple.Handles`: a call has a connection for itself, the one used last.

    Args:
        connect: makes a connection within a deadline.
    """

    def __init__(self, connect: Callable[[Deadline], Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[Handle] = []
        self._busy: set[Handle] = set()
        self._made = 0

    def take(self, deadline: Deadline) -> Handle:
        """See :class:`kernel.contracts.simple.Handles`. A connection that ended while it was idle is passed over."""
        stale: list[Handle] = []
        found: Handle | None = None
        with self._lock:
            while self._idle and found is None:
                handle = self._idle.pop()
                if handle.conn.timed.usable:
                    found = handle
                else:
                    stale.append(handle)
        _end(stale)
        if found is None:
            self._made += 1
            found = Handle(self._connect(deadline), self._made)
        found.conn.timed.deadline = deadline
        with self._lock:
            self._busy.add(found)
        return found

    def give_back(self, handle: Handle) -> None:
        """See :class:`kernel.contracts.simple.Handles`."""
        with self._lock:
            self._busy.discard(handle)
            kept = not handle.broken and len(self._idle) < KEPT
            if kept:
                self._idle.append(handle)
        if not kept:
            _end([handle])

    def drop(self, handle: Handle) -> None:
        """See :class:`kernel.contracts.simple.Handles`. What broke this connection broke the idle ones, too."""
        handle.broken = True
        with self._lock:
            idle, self._idle = self._idle, []
        _end(idle)

    def close(self) -> None:
        """See :class:`kernel.contracts.simple.Handles`."""
        with self._lock:
            idle, self._idle = self._idle, []
            for handle in self._busy:
                handle.broken = True
        _end(idle)

    def abandon(self) -> list[Connection]:
        """See :class:`kernel.contracts.simple.Handles`."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        handles = [*self._idle, *self._busy]
        self._idle, self._busy = [], set()
        return [handle.conn for handle in handles]


def _end(handles: Iterable[Handle]) -> None:
    for handle in handles:
        with contextlib.suppress(Exception):
            handle.conn.close()
