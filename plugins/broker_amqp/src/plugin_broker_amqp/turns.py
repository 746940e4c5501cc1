"""Waiting for one's turn with something that one thread uses at a time."""

import threading
from typing import Protocol

from kernel.contracts import Deadline


class Lock(Protocol):
    """One of Python's, reentrant or not."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:
        """See :class:`threading.Lock`."""


def taken(lock: Lock, deadline: Deadline) -> bool:
    """Whether the lock could be had by then. Nearly always it is free, and nobody needs to know how long that is."""
    return lock.acquire(blocking=False) or lock.acquire(timeout=min(deadline.left(), threading.TIMEOUT_MAX))
