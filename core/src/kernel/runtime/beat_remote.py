"""Beat's ear for remote control: it answers ``ping`` as long as its loop is alive (features.md 2.3; wire.md 12).

Everything else is for workers, and is passed over in silence: an error of beat among their answers would only confuse.
So is a ping while the loop stands still: a probe then hears nobody, which is how it ends with an error.
"""

import logging
from collections.abc import Callable

from kernel.engine.requirements import REMOTE_CONTROL
from kernel.runtime.boot import Services
from kernel.runtime.commands_show import ping
from kernel.runtime.control import ControlLoop
from kernel.runtime.duties import IDLE_S
from kernel.runtime.panel import Command

logger = logging.getLogger("kernel.beat")

_COMMANDS = {"ping": Command("ping", ping, "inspect")}


class BeatRemote:
    """Listens from :meth:`start` to :meth:`close`, over a connection of its own.

    Args:
        services: made for this alone; closed in the end.
        hostname: what beat is called, such as ``kernelbeat@host``.
        age_s: how many seconds ago the loop last turned.
        most_s: above so many it is taken for dead; 0 is never.
    """

    def __init__(self, services: Services, hostname: str, age_s: Callable[[], float], most_s: float) -> None:
        self._services = services
        self._hostname = hostname
        self._age_s = age_s
        self._most_s = most_s
        self._loop: ControlLoop | None = None

    def start(self) -> None:
        """Begin; a broker that cannot carry remote control is named in the log."""
        plugin, caps = self._services.control
        if REMOTE_CONTROL.capability not in caps.claimed():
            logger.warning("No remote control: %s cannot carry it. A second broker, in control_url, can.", plugin)
            return
        self._loop = ControlLoop(self._services, self._hostname, _COMMANDS, None, self, self.answers)
        self._loop.start()

    def answers(self, method: str) -> bool:
        """Whether beat has an answer to a command of that name, now."""
        if method not in _COMMANDS:
            return False
        age = self._age_s()
        if self._most_s and age > self._most_s:
            logger.warning(
                "No answer to %s: the scheduler was last asked %.0f s ago, and %g are allowed",
                method,
                age,
                self._most_s,
            )
            return False
        return True

    def do(self) -> float:
        """Beat has no duties besides."""
        return IDLE_S

    def close(self) -> None:
        """End. Idempotent."""
        if self._loop is not None:
            self._loop.close()
        self._services.close()
