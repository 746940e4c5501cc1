"""A flag that one thread waits for and anything may raise, a signal handler too."""

import threading


class Waker:
    """Sticky: raised before the wait begins, it ends that wait at once. Many raises are one.

    A raw lock serves as the flag, because ``threading.Event`` can deadlock when a signal handler sets it while the
    interrupted thread is inside ``wait``.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wake(self) -> None:
        """Raise the flag."""
        try:
            self._lock.release()
        except RuntimeError:  # it is raised already
            return

    def wait(self, seconds: float) -> bool:
        """Wait until it is raised, at most so long, and lower it; whether it was raised."""
        if seconds <= 0:
            return self._lock.acquire(blocking=False)
        return self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))
