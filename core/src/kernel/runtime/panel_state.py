"""What a command of remote control gets: the application, the node's name, and the node's parts (features.md 2.5)."""

import time
from dataclasses import dataclass, field
from typing import Any

from kernel.contracts.pool import Pool
from kernel.runtime.autoscaler import Autoscaler
from kernel.runtime.boot import Services
from kernel.runtime.catalogue import Limits
from kernel.runtime.desk import Desk
from kernel.runtime.events import EventDispatcher, Heart
from kernel.runtime.inbox import Inbox
from kernel.runtime.reserve import Reserve
from kernel.runtime.revoking import Revoking
from kernel.runtime.shutdown import Shutdown
from kernel.runtime.task_info import TaskInfos


@dataclass(frozen=True, slots=True)
class NodeParts:
    """The parts of a node that commands look at or change. Each says for itself which threads may.

    Attributes:
        services: settings, codec, drivers.
        tasks: the limits of tasks.
        pool: where bodies run.
        desk: deliveries.
        inbox: of the main loop.
        shutdown: ends the node.
        events: publishes events.
        heart: publishes heartbeats; None when there are none.
        scaler: changes the size of the pool, if it is to change by itself.
        revoking: what is revoked.
        infos: describes tasks.
        reserve: how many tasks are taken beyond what executors have room for.
        began: Unix time.
    """

    services: Services
    tasks: Limits
    pool: Pool
    desk: Desk
    inbox: Inbox
    shutdown: Shutdown
    events: EventDispatcher
    heart: Heart | None
    scaler: Autoscaler
    revoking: Revoking
    infos: TaskInfos
    reserve: Reserve
    began: float = field(default_factory=time.time)


class ConsumerView:
    """``state.consumer``: the node's parts under the names that commands written for Celery know.

    Attributes:
        app: the application.
        hostname: the node's name.
        pool: the pool; ``pool.stats()``, ``pool.outstanding()``.
        event_dispatcher: publishes events: ``send({"type": …, "timestamp": …})``.
        qos: how many tasks the node holds: ``qos.value``, ``qos.increment_eventually(n)``,
            ``qos.decrement_eventually(n)``.
    """

    def __init__(self, app: Any, hostname: str, parts: NodeParts) -> None:
        self.app = app
        self.hostname = hostname
        self.pool = parts.pool
        self.event_dispatcher = parts.events
        self.qos = parts.reserve


class PanelState:
    """The first argument of every command.

    Attributes:
        app: the application.
        hostname: the node's name, such as ``w1@host``.
        consumer: the node as :class:`ConsumerView` shows it.
        parts: everything else; not for commands of applications, as it may change.
    """

    tset = set
    """The type of sets of tasks."""

    def __init__(self, app: Any, hostname: str, parts: NodeParts) -> None:
        self.app = app
        self.hostname = hostname
        self.parts = parts
        self.consumer = ConsumerView(app, hostname, parts)
