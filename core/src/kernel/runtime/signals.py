"""Signal handlers of a node: they only set a state and ring; all work is done by the main loop."""

import faulthandler
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from kernel.runtime.shutdown import Shutdown

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class SignalHandlers:
    """While it is entered, signals end the node in order. Main thread only.

    USR1 writes the stacks of all threads to the standard error. HUP is named in the log and ignored: a node in the
    foreground is not restarted by itself.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        self._shutdown = shutdown
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _STOPPING:
            self._set(number, self._stop)
        self._set(signal.SIGHUP, self._hangup)
        self._before[signal.SIGUSR1] = signal.getsignal(signal.SIGUSR1)
        faulthandler.register(signal.SIGUSR1, file=sys.__stderr__ or sys.stderr, all_threads=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faulthandler.unregister(signal.SIGUSR1)
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _set(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        self._before[number] = signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._shutdown.on_signal(number)

    def _hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._shutdown.on_hangup()
