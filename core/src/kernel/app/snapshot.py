"""Cameras: look at the state of a cluster again and again, and keep what is seen (features.md 2.6)."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from kernel.engine.ratelimit import parse_rate
from kernel.runtime.seen_state import State
from kernel.runtime.timer import Timer


class Polaroid:
    """Calls :meth:`on_shutter` every ``freq`` seconds, from a thread of its own, while it is installed.

    ::

        class Dump(Polaroid):
            clear_after = True

            def on_shutter(self, state):
                print(len(state.tasks), "tasks,", len(list(state.alive_workers())), "workers")

        state = app.events.State()
        with Dump(state, freq=2.0):
            app.events.Receiver(handlers={"*": state.event}).capture()

    Args:
        state: what to look at; it stands still for each look.
        freq: seconds between two looks.
        maxrate: most looks per time, such as ``10/m``, however often :meth:`shutter` is called; None is no bound.
        cleanup_freq: seconds between two calls of :meth:`on_cleanup`.
        app: kept as an attribute, for subclasses.

    Raises:
        ImproperlyConfigured: for a ``maxrate`` that is no rate.
    """

    clear_after = False
    """Forget everything after each look, so that the next one sees only what is new."""

    def __init__(
        self,
        state: State,
        freq: float = 1.0,
        maxrate: str | float | None = None,
        cleanup_freq: float = 3600.0,
        app: Any = None,
    ) -> None:
        self.app = app
        self.state = state
        self.freq = float(freq)
        self.cleanup_freq = float(cleanup_freq)
        rate = parse_rate(maxrate)
        self._pause_s = 0.0 if rate is None else 1.0 / rate
        self._next_look = 0.0
        self._timers: tuple[Timer, ...] = ()

    def on_shutter(self, state: State) -> None:
        """Keep what is to be kept of the state. For subclasses."""

    def on_cleanup(self) -> None:
        """Tidy up what was kept. For subclasses."""

    def shutter(self) -> None:
        """Look now, whatever ``maxrate`` says."""
        self._next_look = time.monotonic() + self._pause_s
        self.on_shutter(self.state)

    def capture(self) -> None:
        """Look now, while the state stands still, unless the last look is too recent for ``maxrate``."""
        if time.monotonic() >= self._next_look:
            self.state.freeze_while(self.shutter, clear_after=self.clear_after)

    def cleanup(self) -> None:
        """Tidy up now."""
        self.on_cleanup()

    def install(self) -> None:
        """Begin. An error of :meth:`on_shutter` is logged and the camera goes on."""
        self._timers = (
            Timer("kernel-camera", _Every(self.freq, self.capture)),
            Timer("kernel-camera-cleanup", _Every(self.cleanup_freq, self.cleanup)),
        )
        for timer in self._timers:
            timer.start()

    def cancel(self) -> None:
        """End; what was heard since the last look is looked at first."""
        timers, self._timers = self._timers, ()
        for timer in timers:
            timer.close()
        if timers:
            self.state.freeze_while(self.shutter, clear_after=self.clear_after)

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


class _Every:
    """Does something every so many seconds, the first time after as many; answers when it wants to be asked again."""

    def __init__(self, seconds: float, duty: Callable[[], object]) -> None:
        self._seconds = seconds
        self._duty = duty
        self._due = time.monotonic() + seconds

    def __call__(self) -> float:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._seconds
            self._duty()
        return self._due - time.monotonic()
