"""A thread that looks after connections nobody is using: heartbeats, and messages that nobody asks for any more."""

import threading
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from plugin_broker_amqp.wire import Wire

TICK_S: Final = 0.1
_BEATS: Final = 10
"""Heartbeats are looked at in every tenth tick."""


class Resting(Protocol):
    """A consumer."""

    def rest(self) -> None:
        """Give back what came and was not asked for in a while. Never raises."""


class Pulse:
    """Runs while a broker is open.

    Args:
        wires: the connections there are at present.
        consumers: likewise.
    """

    def __init__(self, wires: Callable[[], Iterable[Wire]], consumers: Callable[[], Iterable[Resting]]) -> None:
        self._wires = wires
        self._consumers = consumers
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it runs."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="amqp-pulse", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(2.0)

    def abandon(self) -> None:
        """In a forked child the thread is not there."""
        self._thread = None
        self._stop = threading.Event()

    def _run(self) -> None:
        stop, count = self._stop, 0
        while not stop.wait(TICK_S):
            for consumer in list(self._consumers()):
                consumer.rest()
            count += 1
            if count % _BEATS == 0:
                for wire in list(self._wires()):
                    wire.look_after()
