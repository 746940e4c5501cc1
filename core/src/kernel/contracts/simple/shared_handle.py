"""Keeping one connection that threads take turns on."""

import contextlib
import threading
from typing import Any

from kernel.contracts.deadline import Deadline
from kernel.contracts.simple.handles import Connect, Disconnect, Handle, Number
from kernel.errors import Code, DriverError


class SharedHandle:
    """One connection, for servers that bind a delivery to the connection it came over.

    A call waits for its turn until its deadline; what blocks in the server for long should not use this.

    Args:
        connect: as for :class:`~kernel.contracts.simple.handles.ThreadLocalHandles`.
        disconnect: likewise.
        number: likewise.
    """

    def __init__(self, connect: Connect, disconnect: Disconnect, number: Number) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._number = number
        self._turn = threading.Lock()
        self._handle: Handle | None = None

    def take(self, deadline: Deadline) -> Handle:
        """See :meth:`Handles.take`; TIMEOUT when it is not our turn in time."""
        if not self._turn.acquire(timeout=min(deadline.left(), threading.TIMEOUT_MAX)):
            raise DriverError(Code.TIMEOUT, "The connection was busy until the deadline", cure="Allow more time.")
        try:
            if self._handle is None or self._handle.broken:
                self._handle = Handle(self._connect(deadline), self._number())
        except BaseException:
            self._turn.release()
            raise
        self._handle.users = 1
        return self._handle

    def give_back(self, handle: Handle) -> None:
        """See :meth:`Handles.give_back`."""
        handle.users = 0
        if handle.broken:
            self._end(handle)
        self._turn.release()

    def drop(self, handle: Handle) -> None:
        """See :meth:`Handles.drop`."""
        handle.broken = True

    def close(self) -> None:
        """See :meth:`Handles.close`."""
        handle = self._handle
        if handle is None:
            return
        handle.broken = True  # a call that runs now ends it
        if self._turn.acquire(blocking=False):
            self._handle = None
            self._end(handle)
            self._turn.release()

    def abandon(self) -> list[Any]:
        """See :meth:`Handles.abandon`."""
        self._turn = threading.Lock()  # another thread of the parent may have held it
        handle, self._handle = self._handle, None
        return [handle.conn] if handle is not None else []

    def _end(self, handle: Handle) -> None:
        self._handle = None
        with contextlib.suppress(Exception):
            self._disconnect(handle.conn)
