"""How a node ends (features.md 2.4): a row of levels, each more hasty than the one before."""

import os
import signal
import time
from enum import IntEnum

from kernel.runtime.inbox import Inbox

_HARD_EXIT = 1


class Level(IntEnum):
    """How hastily the node is to end."""

    RUN = 0
    """Not at all."""
    WARM = 1
    """Reserve nothing more, give back what has not begun, finish what runs."""
    COLD = 2
    """The same, but end what still runs after ``worker_soft_shutdown_timeout``."""
    NOW = 3
    """End what runs at once."""


class Shutdown:
    """Turns signals and calls into a level. Its methods may be called from any thread and from signal handlers.

    Args:
        inbox: rung when the level changes.
        soft_s: seconds between COLD and ending what runs (``worker_soft_shutdown_timeout``).
        remap_term: SIGTERM means what SIGQUIT means (environment ``REMAP_SIGTERM=SIGQUIT``).
        restartable: SIGHUP is a warm end with a new beginning.

    Attributes:
        level: how hastily.
        signal: name of the last signal that said so.
        restart: whether to begin anew afterwards.
    """

    def __init__(
        self, inbox: Inbox, soft_s: float = 0.0, *, remap_term: bool = False, restartable: bool = False
    ) -> None:
        self._inbox = inbox
        self._soft_s = soft_s
        self._remap_term = remap_term
        self._interrupts = 0
        self._kill_at = float("inf")
        self._hung_up = False
        self._restartable = restartable
        self.restart = False
        self.level = Level.RUN
        self.signal: str | None = None

    def request(self, level: Level) -> None:
        """End at least this hastily."""
        if level <= self.level:
            return
        if level is Level.COLD:
            self._kill_at = time.monotonic() + self._soft_s
        self.level = level
        self._inbox.poke()

    def on_signal(self, number: int) -> None:
        """TERM is warm, and cold the second time; QUIT is cold, then at once; INT is warm, cold, and the third hard."""
        self.signal = signal.Signals(number).name
        restart, self.restart = self.restart, False  # whoever stops it now does not want it to begin anew
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > Level.COLD:
                os._exit(_HARD_EXIT)
            self.request(Level(self._interrupts))
        elif number == signal.SIGQUIT or self._remap_term or not (self.level is Level.RUN or restart):
            self.request(Level.NOW if self.level >= Level.COLD and number == signal.SIGQUIT else Level.COLD)
        else:
            self.request(Level.WARM)

    def on_hangup(self) -> None:
        """HUP: a warm end with a new beginning, or the main loop says in the log that it is ignored."""
        if self._restartable:
            self.restart = self.restart or self.level is Level.RUN
            self.request(Level.WARM)
        else:
            self._hung_up = True
            self._inbox.poke()

    def take_hangup(self) -> bool:
        """Whether HUP came since the last time this was asked."""
        hung_up, self._hung_up = self._hung_up, False
        return hung_up

    def kill_in(self) -> float:
        """Seconds until what runs is to be ended; infinite while it may finish."""
        if self.level is Level.NOW:
            return 0.0
        return max(0.0, self._kill_at - time.monotonic())
