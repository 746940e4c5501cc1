"""``amqp://``: RabbitMQ as a broker."""

import contextlib
import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final
from urllib.parse import unquote

from kernel.contracts import (
    Broker,
    BrokerCaps,
    Consumer,
    Deadline,
    Depth,
    Limits,
    Outgoing,
    PluginContext,
    PublishResult,
)
from kernel.contracts.broker import PUBLISHED
from kernel.contracts.simple import refusals
from kernel.contracts.simple.fork import FORKS
from kernel.errors import Code, DriverError
from kernel.model.topology import Exchange, QueueSpec
from kernel.model.urls import masked_url
from plugin_broker_amqp import failures
from plugin_broker_amqp.address import Address, addresses
from plugin_broker_amqp.consumer import AmqpConsumer
from plugin_broker_amqp.desk import Desk
from plugin_broker_amqp.envelope import UNMARKED, Envelopes, Marks
from plugin_broker_amqp.intake import Intake
from plugin_broker_amqp.ladder import Ladder
from plugin_broker_amqp.options import Options
from plugin_broker_amqp.packing import Packing
from plugin_broker_amqp.publisher import Parcel, Publisher
from plugin_broker_amqp.pulse import Pulse
from plugin_broker_amqp.settling import Settling
from plugin_broker_amqp.specs import Specs
from plugin_broker_amqp.wire import Wire

CELERY: Final = "celery"
"""The namespace whose queues Celery's clients and workers use, too."""
CELERY_UNIT_S: Final = 1.0
UNIT_S: Final = 0.125
TOP_PRIORITY: Final = 255
ACK_WINDOW_S: Final = 2.0
"""RabbitMQ writes acknowledgements of classic queues to disk a moment later; a kill in between forgets them."""


def capabilities(options: Options, ladder: Ladder) -> BrokerCaps:
    """What queues of the chosen type can do."""
    quorum = options.queue_type == "quorum"
    return BrokerCaps(
        confirm=options.confirm_publish,
        persist=True,
        attempts=quorum,
        nack_delay=True,
        dlq=True,
        order=True,
        priority=not quorum,
        delay=True,
        ttl=True,
        fanout=True,
        exchanges=True,
        depth=True,
        purge=True,
        prefetch=True,
        binary_headers=True,
        tls=True,
        auth=True,
        limits=Limits(
            max_body=options.max_body,
            max_delay_s=ladder.longest_s,
            max_priority=None if quorum else TOP_PRIORITY,
            granularity_s=ladder.unit_s,
            ack_window_s=ACK_WINDOW_S,
        ),
    )


class AmqpBroker(Broker):
    """See :class:`kernel.contracts.Broker` and this plugin's README."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        # kombu takes a tenth of a second to import, which who only looks at plugins shall not wait for; imported later
        # than here, every child of a worker would have it in a memory of its own.
        self._native: Any = import_module("plugin_broker_amqp.native")
        self._name = masked_url(url)
        self._addresses = addresses(url)
        self._options = Options.of(options)
        self._node = ctx.node
        clock = ctx.clock or time.time
        celery = ctx.namespace == CELERY
        self._ladder = Ladder(ctx.namespace, CELERY_UNIT_S if celery else UNIT_S)
        self._caps = capabilities(self._options, self._ladder)
        passwords = {one.password for one in self._addresses}
        self._natives = failures.translator(self._name, tuple(passwords | {unquote(one) for one in passwords}))
        self._specs = Specs(self._options.queue_type)
        self._desk = Desk(
            self._connect,
            self._natives,
            self._specs,
            self._ladder,
            own_arguments=not celery,
            delay_queue_type=self._options.delay_queue_type,
        )
        self._publisher = Publisher(
            self._connect, confirm=self._options.confirm_publish, max_in_flight=self._options.max_in_flight
        )
        envelopes = Envelopes(celery, ctx.namespace)
        self._packing = Packing(self._caps, envelopes, self._specs, self._desk, self._ladder, clock)
        self._settling = Settling(self._caps, self._specs, self._resend)
        self._intake = Intake(envelopes, self._specs, self._settling, clock)
        self._pulse = Pulse(self._wires, lambda: self._consumers)
        self._consumers: list[AmqpConsumer] = []
        self._number = itertools.count(1)
        self._favourite = 0
        self._opened = False

    def __repr__(self) -> str:
        return f"<AmqpBroker {self._name}>"

    def capabilities(self) -> BrokerCaps:
        """See :meth:`kernel.contracts.Broker.capabilities`; they depend on the option ``queue_type``."""
        return self._caps

    def open(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.open`."""
        FORKS.watch(self)
        self._desk.line(deadline)
        self._opened = True
        self._pulse.start()

    def close(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.close`."""
        self._opened = False
        self._pulse.stop()
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.close(release=True, deadline=deadline)
        self._publisher.close(deadline)
        self._desk.close(deadline)

    def ping(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.ping`."""
        self._check_open()
        self._desk.ping(deadline)

    def after_fork(self) -> None:
        """See :meth:`kernel.contracts.Driver.after_fork`. Consumers stay with the parent; here they are closed."""
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.abandon()
        self._publisher.abandon()
        self._desk.abandon()
        self._specs.after_fork()
        self._pulse.abandon()

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.declare`."""
        self._check_open()
        for spec in specs:
            self._packing.check_spec(spec)
        self._desk.declare(specs, deadline)

    def declare_exchange(self, exchange: Exchange, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.declare_exchange`."""
        self._check_open()
        self._desk.declare_exchange(exchange, deadline)

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.delete`."""
        self._check_open()
        for queue in queues:
            if refusals.refused_name(queue, self._caps) is None:
                with _ignored(Code.NOT_FOUND):
                    self._desk.delete(queue, deadline)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.Broker.publish`."""
        self._check_open()
        errors = self._send([(item, UNMARKED) for item in items], deadline)
        return [PUBLISHED if error is None else PublishResult(error) for error in errors]

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """See :meth:`kernel.contracts.Broker.consumer`."""
        self._check_open()
        self._pulse.start()  # in a forked child it is not there yet
        names = list(dict.fromkeys(queues))
        made = AmqpConsumer(self, self._intake, self._settling, names, prefetch, self._options.connect_timeout)
        self._consumers = [*(one for one in self._consumers if not one.closed), made]
        return made

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """See :meth:`kernel.contracts.Broker.depth`. RabbitMQ tells what is ready, and nothing else."""
        self._check_open()
        return {queue: Depth(self._desk.count(queue, deadline), exact=False) for queue in queues}

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """See :meth:`kernel.contracts.Broker.purge`."""
        self._check_open()
        return {queue: self._desk.purge(queue, deadline) for queue in queues}

    # --- what consumers ask for

    def line(self, queues: Sequence[str], deadline: Deadline) -> tuple[Wire, bool]:
        """A connection of its own, or, for temporary queues, the one they were declared on."""
        if self._specs.temporary(queues):
            return self._desk.line(deadline), True
        return self._connect(deadline), False

    def next_epoch(self) -> int:
        """A number that no connection or channel of this broker had."""
        return next(self._number)

    def kept_open(self, queue: str) -> bool:
        """Whether the queue is removed with its last consumer."""
        spec = self._specs.get(queue)
        return spec is not None and (spec.temporary or spec.auto_delete)

    def counted(self, queue: str) -> bool:
        """Whether the server counts its deliveries."""
        return self._specs.type_of(queue) == "quorum"

    def _resend(self, letters: Sequence[tuple[Outgoing, Marks]], deadline: Deadline) -> list[DriverError | None]:
        return self._send(letters, deadline)

    def _send(self, letters: Sequence[tuple[Outgoing, Marks]], deadline: Deadline) -> list[DriverError | None]:
        """Publish; for each message why it was not taken."""
        errors: list[DriverError | None] = [None] * len(letters)
        parcels: list[Parcel] = []
        places: list[int] = []
        for index, (item, marks) in enumerate(letters):
            try:
                parcels.append(self._packing.parcel(item, marks, deadline))
                places.append(index)
            except DriverError as error:
                errors[index] = error
        if parcels:
            for index, failed in zip(places, self._publisher.send(parcels, deadline), strict=True):
                errors[index] = failed
        return errors

    # --- connections

    def _connect(self, deadline: Deadline) -> Wire:
        """A connection to the server that answered last, or to the next that does.

        Raises:
            DriverError: why the last of them could not be reached.
        """
        count = len(self._addresses)
        failed: DriverError | None = None
        for turn in range(count):
            index = (self._favourite + turn) % count
            share = Deadline.after(deadline.left() / (count - turn))
            try:
                wire = self._connect_to(self._addresses[index], share)
            except DriverError as error:
                failed = error if failed is None or error.code is not Code.TIMEOUT else failed
            else:
                self._favourite = index
                return wire
        assert failed is not None
        raise failed

    def _connect_to(self, address: Address, deadline: Deadline) -> Wire:
        try:
            deadline.check(f"Connecting to {address.host}:{address.port}")
            connection = self._native.connect(address, self._options, self._node, deadline)
        except Exception as error:
            where = f"connecting to {address.host}:{address.port}"
            raise self._natives.translate(error, where, reached=False) from error
        return Wire(connection, next(self._number))

    def _wires(self) -> Iterable[Wire]:
        found: list[Any] = [self._publisher.wire, self._desk.wire, *(one.wire for one in self._consumers)]
        return [wire for wire in found if wire is not None]

    def _check_open(self) -> None:
        if not self._opened:
            raise DriverError(Code.CLOSED, f"The broker {self._name} is not open", cure="Call open() first.")


@contextlib.contextmanager
def _ignored(code: Code) -> Any:
    try:
        yield
    except DriverError as error:
        if error.code is not code:
            raise
