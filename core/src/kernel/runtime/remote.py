"""Remote control of a node: what listens, what is revoked, and the neighbours at the start, put together."""

import logging
from dataclasses import dataclass
from typing import Any

from kernel.engine.requirements import REMOTE_CONTROL
from kernel.runtime import commands_limits, commands_queues, commands_revoke, commands_show, commands_worker
from kernel.runtime.control import ControlLoop
from kernel.runtime.duties import Duties
from kernel.runtime.mingle import Mingle
from kernel.runtime.panel import COMMANDS
from kernel.runtime.panel_state import NodeParts, PanelState

logger = logging.getLogger("kernel.worker")

LISTEN_S = 1.0
"""A node that is ready can be spoken to; unless its broker for that is slow, or away."""
BUILT_IN = (commands_limits, commands_queues, commands_revoke, commands_show, commands_worker)
"""Importing these fills the table of commands."""


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How a node is controlled.

    Attributes:
        app: what commands see as ``state.app``.
        mingle: ask the neighbours at the start which tasks were revoked.
    """

    app: Any
    mingle: bool = True


class Remote:
    """From :meth:`start` to :meth:`close`.

    Args:
        options: of the node; None for one that is not controlled.
        hostname: its name.
        parts: what commands act on.
    """

    def __init__(self, options: RemoteOptions | None, hostname: str, parts: NodeParts) -> None:
        self._parts = parts
        self._loop: ControlLoop | None = None
        self._mingle: Mingle | None = None
        services = parts.services
        plugin, caps = services.control
        if options is None or not services.config.worker_enable_remote_control:
            return
        if REMOTE_CONTROL.capability not in caps.claimed():
            logger.info("No remote control: %s cannot carry it. A second broker, in control_url, can.", plugin)
            return
        state = PanelState(options.app, hostname, parts)
        duties = Duties(parts.revoking, parts.desk.tell, parts.pool, parts.desk.ledger, parts.inbox)
        self._loop = ControlLoop(services, hostname, COMMANDS, state, duties)
        if options.mingle:
            self._mingle = Mingle(services, hostname, parts.revoking)

    def start(self) -> None:
        """Begin to listen, knowing what was revoked in an earlier run."""
        self._parts.revoking.restore()
        if self._loop is not None:
            self._loop.start()
        if self._mingle is not None:
            self._mingle.start()

    def settle_in(self) -> None:
        """Before the first task: listen, and hear what the neighbours know."""
        if self._loop is not None:
            self._loop.wait(LISTEN_S)
        if self._mingle is not None:
            self._mingle.wait()

    def close(self) -> None:
        """End."""
        if self._loop is not None:
            self._loop.close()
        self._parts.revoking.close()
