"""A thread that does one duty again and again: lease renewals, heartbeats."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger("kernel.worker")

_LONGEST_S = 60.0
_AFTER_ERROR_S = 1.0


class Timer:
    """Calls ``duty``, which returns the seconds until it wants to be called next.

    An error of the duty is logged, and the duty goes on a second later.

    Args:
        name: of the thread.
        duty: the work; short, or obeying deadlines of its own.
    """

    def __init__(self, name: str, duty: Callable[[], float]) -> None:
        self._duty = duty
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def hurry(self) -> None:
        """Call the duty now instead of when it asked for."""
        self._wake.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop and wait for the thread."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(max(0.0, min(self._turn(), _LONGEST_S)))
            self._wake.clear()

    def _turn(self) -> float:
        try:
            return self._duty()
        except Exception:
            logger.exception("%s failed and goes on", self._thread.name)
            return _AFTER_ERROR_S
