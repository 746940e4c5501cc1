"""A worker node: one supervising process around a broker connection and a pool (architecture.md 4)."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from kernel.contracts.pool import ExecutorFactory, Pool, PoolOptions
from kernel.engine.attempt import RunnableTask
from kernel.engine.autoscale import Autoscale
from kernel.engine.revoked import RevokedTasks
from kernel.engine.topology import quarantine_spec, queue_spec
from kernel.model.masking import mask_text
from kernel.model.topology import QueueSpec
from kernel.runtime.aftermath import Aftermath
from kernel.runtime.announcer import Announcer
from kernel.runtime.autoscaler import Autoscaler
from kernel.runtime.boot import Services
from kernel.runtime.catalogue import Limits, make_catalogue
from kernel.runtime.consumer import ConsumerLoop
from kernel.runtime.control_way import ControlWay
from kernel.runtime.copies import Copies
from kernel.runtime.desk import Desk
from kernel.runtime.endings import Endings
from kernel.runtime.events import HEARTBEAT_S, EventDispatcher, Heart
from kernel.runtime.finish import Finish
from kernel.runtime.inbox import Inbox
from kernel.runtime.intake import Intake
from kernel.runtime.lease import LeaseKeeper
from kernel.runtime.ledger import Ledger
from kernel.runtime.link import Link, LinkPolicy
from kernel.runtime.panel_state import NodeParts
from kernel.runtime.plugins import call_hook
from kernel.runtime.remote import Remote, RemoteOptions
from kernel.runtime.revoked_marks import RevokedMarks
from kernel.runtime.revoking import Discard, Revoking
from kernel.runtime.settlement import Settlement, release
from kernel.runtime.shutdown import Level, Shutdown
from kernel.runtime.signal_table import worker_shutting_down
from kernel.runtime.signals import SignalHandlers
from kernel.runtime.state_db import StateDb
from kernel.runtime.task_info import TaskInfos
from kernel.runtime.tell import Tell
from kernel.runtime.waiting import Waiting

logger = logging.getLogger("kernel.worker")

EXIT_OK = 0
EXIT_COLD = 1

_DRAIN_TURN_S = 1.0
_LAST_WRITES_S = 10.0


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How a node runs.

    Attributes:
        hostname: its name, such as ``w1@host``.
        queues: names of the queues it consumes.
        pool: sizes and limits of its pool.
        task_events: publish task events (``-E``).
        heartbeat: publish worker events.
        remap_term: SIGTERM means SIGQUIT.
        heartbeat_s: seconds between two worker events.
        autoscale: decides how many executors there are; None leaves them at their number.
        restart_on_hangup: SIGHUP ends the node in order, so that whoever runs it can begin anew.
    """

    hostname: str
    queues: tuple[str, ...]
    pool: PoolOptions = PoolOptions()
    task_events: bool = False
    heartbeat: bool = True
    remap_term: bool = False
    restart_on_hangup: bool = False
    heartbeat_s: float = HEARTBEAT_S
    autoscale: Autoscale | None = None


class Node:
    """Consumes queues until it is told to stop.

    Args:
        services: what configuration chose; drivers are opened by :meth:`run`, after the pool has forked.
        tasks: the registry.
        pool: where bodies run.
        factory: builds an executor in every process that runs bodies.
        options: name, queues, sizes.
        remote: how it is controlled from afar; None for a node that is not.
        on_ready: called when the node consumes.
    """

    def __init__(  # noqa: PLR0913 - where everything that makes a node meets
        self,
        services: Services,
        tasks: Mapping[str, RunnableTask],
        pool: type[Pool],
        factory: ExecutorFactory,
        options: NodeOptions,
        remote: RemoteOptions | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        config = services.config
        self._on_ready = on_ready
        self._services = services
        self._options = options
        self._inbox = Inbox()
        self.shutdown = Shutdown(
            self._inbox,
            config.worker_soft_shutdown_timeout,
            remap_term=options.remap_term,
            restartable=options.restart_on_hangup,
        )
        self._idle_soft = config.worker_enable_soft_shutdown_on_idle
        self._link = Link(services, _queue_specs(services, options.queues), options.queues, LinkPolicy.of(config))
        self._leases = LeaseKeeper(self._link, self._inbox)
        self.ledger = Ledger()
        events = self._events = self._make_events()
        self._heart = Heart(events, self.ledger, config.namespace, options.heartbeat_s) if options.heartbeat else None
        self.desk = self._make_desk(tasks)
        revoked = RevokedTasks(config.worker_revokes_max, config.worker_revoke_expires)
        catalogue, limits = make_catalogue(tasks, config, options.hostname, revoked)
        self._finish = Finish(self.desk, config.task_delivery_limit)
        self.pool = pool(options.pool, factory, self._inbox, tell_starts=catalogue.watched or options.task_events)
        self._scaler = Autoscaler(self.pool, self.ledger, self._inbox, options.autoscale)
        intake = Intake(catalogue, services.codec, self.desk)
        self._loop = ConsumerLoop(self._link, self.pool, self._inbox, self.desk, intake, self._finish, events)
        discard = Discard(self.desk, intake, self.pool, revoked)
        self._remote = Remote(remote, options.hostname, self._parts(discard, limits))

    def run(self, *, signals: bool = True) -> int:
        """Work until stopped.

        Args:
            signals: install signal handlers; needs the main thread.

        Returns:
            The exit code: 0 when everything that ran was finished, 1 when something was ended.

        Raises:
            DriverError: when the broker cannot be reached, or is lost, and settings say not to try again.
        """
        self._call_hook("kernel_worker_init")
        self.pool.prepare()
        handlers: AbstractContextManager[object] = SignalHandlers(self.shutdown) if signals else nullcontext()
        with handlers:
            try:
                self._begin()
                self._work()
            finally:
                self._end()
                self._call_hook("kernel_worker_shutdown")
        return EXIT_COLD if self._finish.cold else EXIT_OK

    def stop(self, level: Level = Level.WARM) -> None:
        """Ask the node to end. From any thread."""
        self.shutdown.request(level)

    def _begin(self) -> None:
        while not self._link.connect():
            self._inbox.wait(self._link.retry_in())
            if self.shutdown.level is not Level.RUN:
                return
        logger.info("Connected to %s", mask_text(self._services.broker_url, secret=True))
        self._leases.start()
        self._events.start()
        self._remote.start()
        self.pool.start()
        self._scaler.start()
        if self._heart is not None:
            self._heart.start()
        self._remote.settle_in()
        self._call_hook("kernel_worker_ready")
        logger.info("%s ready.", self._options.hostname)
        if self._on_ready is not None:
            self._on_ready()

    def _work(self) -> None:
        while self.shutdown.level is Level.RUN:
            self._loop.turn()
            if self.shutdown.take_hangup():
                logger.warning("SIGHUP is ignored: this worker runs on a terminal. Stop it with SIGTERM.")

    def _end(self) -> None:
        """Give back, finish or end what runs, write the last settlements, close."""
        worker_shutting_down.send(
            self._options.hostname,
            sig=self.shutdown.signal,
            how=self.shutdown.level.name.capitalize(),
            exitcode=EXIT_OK if self.shutdown.level <= Level.WARM else EXIT_COLD,
        )
        try:
            self._drain()
        finally:
            self._stop_pool()
            self._write_the_rest()
            self._close()

    def _drain(self) -> None:
        self._scaler.close()
        self._give_back()
        logger.info("Stopping: %d tasks are running.", len(self.ledger))
        soft_idle = self._idle_soft and self.shutdown.level is Level.COLD
        while len(self.ledger) or soft_idle:
            left = self.shutdown.kill_in()
            if left <= 0.0:
                return
            self._loop.drain(min(_DRAIN_TURN_S, left))

    def _give_back(self) -> None:
        """Everything that has certainly not begun goes back to the broker."""
        now = time.time()
        for entry in self.desk.settlement.unbegun():
            entry.settled = False
            self._finish.give_back(entry)
        for entry in self.desk.settlement.take_ready():
            self._finish.give_back(entry)
        for tag in self.pool.withdraw():
            withdrawn = self.ledger.get(tag)
            if withdrawn is not None:
                self._finish.give_back(withdrawn)
        for due, tag, delivery in self.desk.waiting.take_all():
            seconds = max(0.0, due - now) if self._link.capabilities.nack_delay else 0.0
            self.desk.settlement.settle(release(delivery, seconds), tag)

    def _stop_pool(self) -> None:
        self._finish.cold = bool(len(self.ledger))
        self.pool.stop()
        self._finish.take(self._inbox.drain())
        self._finish.end_remaining()

    def _write_the_rest(self) -> None:
        deadline = time.monotonic() + _LAST_WRITES_S
        self._loop.flush()
        while self._loop.unwritten and time.monotonic() < deadline:
            self._loop.drain(_DRAIN_TURN_S / 5.0)
        self.desk.copies.abandon()
        if len(self.desk.settlement):
            logger.error("%d deliveries could not be settled; they come back when their leases end.",
                         len(self.desk.settlement))  # fmt: skip

    def _make_events(self) -> EventDispatcher:
        """Over the link, or over a connection of its own, whose outages are not to hold the main loop up."""
        services, apart = self._services, self._services.config.control_url is not None
        way = ControlWay(services) if apart else self._link
        return EventDispatcher(
            way, services.codec, services.config, self._options.hostname, background=apart, clock=services.clock
        )

    def _make_desk(self, tasks: Mapping[str, RunnableTask]) -> Desk:
        settlement = Settlement(self._link, self._leases)
        hostname = self._options.hostname
        return Desk(
            link=self._link,
            ledger=self.ledger,
            settlement=settlement,
            copies=Copies(self._link, settlement),
            endings=Endings(self._services, Aftermath(self._services, tasks, hostname), hostname),
            waiting=Waiting(),
            leases=self._leases,
            tell=Tell(self._events, Announcer(tasks, hostname), wanted=self._options.task_events),
            quarantine=quarantine_spec(self._services.config).name,
        )

    def _call_hook(self, name: str) -> None:
        call_hook(self._services.plugins, name, node=self._options.hostname)

    def _parts(self, discard: Discard, limits: Limits) -> NodeParts:
        """What commands of remote control may look at and change."""
        services, hostname, config = self._services, self._options.hostname, self._services.config
        db = StateDb(config.worker_state_db) if config.worker_state_db else None
        return NodeParts(
            services=services,
            tasks=limits,
            pool=self.pool,
            desk=self.desk,
            inbox=self._inbox,
            shutdown=self.shutdown,
            events=self._events,
            heart=self._heart,
            scaler=self._scaler,
            revoking=Revoking(discard, self._inbox, RevokedMarks(services, hostname), db),
            reserve=self._loop.reserve,
            infos=TaskInfos(services.codec, config.task_serializer, hostname),
        )

    def _close(self) -> None:
        self._remote.close()
        if self._heart is not None:
            self._heart.close()
        self._events.close()
        self._leases.close()
        self._link.close(release=True)


def _queue_specs(services: Services, queues: tuple[str, ...]) -> list[QueueSpec]:
    return [*(queue_spec(services.topology, name) for name in queues), quarantine_spec(services.config)]
