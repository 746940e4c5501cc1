"""Declaring, deleting, counting and purging: what is done seldom, through py-amqp's own channels."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kernel.contracts import Deadline
from kernel.contracts.simple.natives import Natives
from kernel.errors import Code, DriverError
from kernel.model.topology import Exchange, QueueSpec
from plugin_broker_amqp import failures
from plugin_broker_amqp.ladder import Ladder, landing, passes, queue_arguments, waits
from plugin_broker_amqp.specs import Specs
from plugin_broker_amqp.wire import Wire

QUORUM: Final = "quorum"
CELERY: Final = "celery"
NEW_S: Final = 1.3
"""RabbitMQ 3.10 writes the register of its quorum queues up to a second late. A server killed before that has lost the
queue's content for good, and whoever publishes to it waits for ever. So creating one takes so long, once."""


class Desk:
    """Talks to the server about queues, over a connection of its own that never publishes.

    Temporary queues live on that connection, too.

    Args:
        connect: makes a connection.
        natives: translates what py-amqp raises.
        specs: takes note of what was declared.
        ladder: the names of the delay queues.
        own_arguments: whether queues get dead-letter arguments; Celery declares its own without (wire.md 5.1).
        delay_queue_type: type of the delay queues.
    """

    def __init__(
        self,
        connect: Callable[[Deadline], Wire],
        natives: Natives,
        specs: Specs,
        ladder: Ladder,
        *,
        own_arguments: bool,
        delay_queue_type: str,
    ) -> None:
        self._connect = connect
        self._natives = natives
        self._specs = specs
        self._ladder = ladder
        self._own_arguments = own_arguments
        self._delay_queue_type = delay_queue_type
        self._making = threading.Lock()
        self._wire: Wire | None = None
        self._laddered = False

    @property
    def wire(self) -> Wire | None:
        """The connection, if there is one."""
        return self._wire

    def line(self, deadline: Deadline) -> Wire:
        """The connection, made when there is none."""
        if not self._making.acquire(timeout=min(deadline.left(), threading.TIMEOUT_MAX)):
            raise failures.timeout("Waiting for the connection")
        try:
            wire = self._wire
            if wire is not None:
                wire.poll()
            if wire is None or wire.failure is not None:
                if wire is not None:
                    wire.close(Deadline.after(0))
                self._laddered = False
                self._specs.forget_landings()
                self._wire = wire = self._connect(deadline)
            return wire
        finally:
            self._making.release()

    def close(self, deadline: Deadline) -> None:
        """End the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close(deadline)

    def abandon(self) -> None:
        """In a forked child: forget the parent's connection."""
        self._making = threading.Lock()
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abandon()

    def ping(self, deadline: Deadline) -> None:
        """One round trip."""
        with self._channel("a ping", deadline):
            pass

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """Make queues exist, with their exchanges, bindings and dead letters."""
        named = {spec.name for spec in specs}
        for spec in specs:
            dead = spec.dead_letter
            if dead is not None and dead not in named and self._specs.get(dead) is None:
                self._declare_dead_letter(dead, deadline)
            fresh = self._specs.type_in(spec) == QUORUM and not self._exists(spec.name, deadline)
            with self._channel(f"to declare queue {spec.name!r}", deadline) as channel:
                self._declare(channel, spec)
            if fresh:
                _let_it_be_written(deadline)
            self._specs.add(spec)
        if any(self._specs.type_in(spec) == QUORUM for spec in specs):
            self._expect_delays_of_celery(specs, deadline)

    def delete(self, queue: str, deadline: Deadline) -> None:
        """Remove a queue."""
        with self._channel(f"to delete queue {queue!r}", deadline) as channel:
            channel.queue_delete(queue)
        self._specs.remove(queue)

    def count(self, queue: str, deadline: Deadline) -> int:
        """Messages that are ready."""
        with self._channel(f"to count queue {queue!r}", deadline) as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    def purge(self, queue: str, deadline: Deadline) -> int:
        """Remove what is ready; how many."""
        with self._channel(f"to purge queue {queue!r}", deadline) as channel:
            return int(channel.queue_purge(queue))

    def declare_exchange(self, exchange: Exchange, deadline: Deadline) -> None:
        """Make an exchange exist."""
        if not self._specs.knows_exchange(exchange.name):
            with self._channel(f"to declare exchange {exchange.name!r}", deadline) as channel:
                channel.exchange_declare(exchange.name, exchange.type, durable=exchange.durable, auto_delete=False)
            self._specs.add_exchange(exchange.name)

    def find_exchange(self, name: str, deadline: Deadline) -> None:
        """See that an exchange exists.

        Raises:
            DriverError: NOT_FOUND.
        """
        if name and not self._specs.knows_exchange(name):
            with self._channel(f"to use exchange {name!r}", deadline) as channel:
                channel.exchange_declare(name, "direct", passive=True)
            self._specs.add_exchange(name)

    def land(self, queue: str, deadline: Deadline) -> None:
        """See that messages with a delay reach a queue at the bottom of the ladder."""
        if self._specs.lands(queue):
            return
        self._raise_ladder(deadline)
        with self._channel(f"to bind queue {queue!r}", deadline) as channel:
            channel.queue_bind(queue, self._ladder.bottom, self._ladder.landing_key(landing(queue)))
        self._specs.add_landing(queue)

    def _declare_dead_letter(self, name: str, deadline: Deadline) -> None:
        """As the kernel declares its quarantine; one that exists already may be otherwise."""
        if not self._exists(name, deadline):
            self.declare([QueueSpec(name)], deadline)

    def _exists(self, queue: str, deadline: Deadline) -> bool:
        try:
            self.count(queue, deadline)
        except DriverError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return False
        return True

    def _declare(self, channel: Any, spec: QueueSpec) -> None:
        exclusive = spec.temporary
        channel.queue_declare(
            spec.name,
            durable=spec.durable and not exclusive,
            exclusive=exclusive,
            auto_delete=exclusive or spec.auto_delete,
            arguments=self.arguments(spec),
        )
        if spec.exchange.name:
            _bind(channel, spec.name, spec.exchange, spec.key)
        for binding in spec.bindings:
            _bind(channel, spec.name, binding.exchange, binding.routing_key)

    def arguments(self, spec: QueueSpec) -> dict[str, Any]:
        """The arguments a queue is declared with; what its own ``arguments`` say wins."""
        found: dict[str, Any] = {}
        kind = self._specs.type_in(spec)
        if kind != "classic" and not (spec.temporary or spec.auto_delete):
            found["x-queue-type"] = kind
        for name, value in (("x-message-ttl", spec.ttl_s), ("x-expires", spec.expires_s)):
            if value is not None:
                found[name] = round(value * 1000)
        if spec.max_priority is not None:
            found["x-max-priority"] = spec.max_priority
        if spec.delivery_limit is not None and kind == QUORUM:
            found["x-delivery-limit"] = spec.delivery_limit - 1  # the server counts returns, the kernel deliveries
        if spec.dead_letter is not None and (self._own_arguments or spec.delivery_limit is not None):
            found |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": spec.dead_letter}
            if kind == QUORUM:
                found |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        return found | dict(spec.arguments)

    def _expect_delays_of_celery(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """What Celery's workers declare once one of their queues is a quorum queue (wire.md 6).

        From then on Celery's clients send what has a countdown to the top of the ladder, whatever its queue is.
        """
        if self._ladder.namespace != CELERY:
            return
        self._raise_ladder(deadline)
        for spec in specs:
            if spec.exchange.name and spec.exchange.type != "direct":
                pattern = f"#.{spec.key}"
                with self._channel(f"to bind queue {spec.name!r}", deadline) as channel:
                    channel.exchange_bind(spec.exchange.name, self._ladder.bottom, pattern)
                    channel.queue_bind(spec.name, spec.exchange.name, pattern)

    def _raise_ladder(self, deadline: Deadline) -> None:
        """Declare the ladder, once for each connection."""
        if self._laddered:
            return
        fresh = not self._exists(self._ladder.top, deadline)
        with self._channel("to declare the delay queues", deadline) as channel:
            self._lay(channel)
        if fresh and self._delay_queue_type == QUORUM:
            _let_it_be_written(deadline)
        self._laddered = True

    def _lay(self, channel: Any) -> None:
        """From the bottom up, without waiting for each answer but the last."""
        ladder = self._ladder
        below = ladder.bottom
        channel.exchange_declare(below, "topic", durable=True, auto_delete=False, nowait=True)
        for step in ladder.steps():
            channel.exchange_declare(step.name, "topic", durable=True, auto_delete=False, nowait=True)
            arguments = queue_arguments(step, self._delay_queue_type)
            channel.queue_declare(step.name, durable=True, auto_delete=False, arguments=arguments, nowait=True)
            channel.queue_bind(step.name, step.name, waits(step.index), nowait=True)
            channel.exchange_bind(below, step.name, passes(step.index), nowait=True)
            below = step.name
        channel.exchange_declare(ladder.top, "topic", passive=True)

    @contextlib.contextmanager
    def _channel(self, what: str, deadline: Deadline) -> Iterator[Any]:
        """A channel of py-amqp's, for one operation.

        Raises:
            DriverError: what became of it.
        """
        deadline.check(f"Asking RabbitMQ {what}")
        wire = self.line(deadline)
        with wire.using(deadline) as connection:
            number = 0
            try:
                channel = connection.channel()
                number = int(channel.channel_id)
                yield channel
                channel.close()
            except DriverError:
                raise
            except Exception as error:
                raise self._refusal(wire, number, what, error) from error

    def _refusal(self, wire: Wire, channel: int, what: str, error: Exception) -> DriverError:
        reason = wire.reason_of_close(channel)
        if reason is not None:
            return failures.of_reply(*reason, what)
        if wire.failure is not None:
            return failures.again(wire.failure)
        return self._natives.translate(error, what)


def _let_it_be_written(deadline: Deadline) -> None:
    time.sleep(min(NEW_S, deadline.left()))


def _bind(channel: Any, queue: str, exchange: Exchange, key: str) -> None:
    if not exchange.name.startswith("amq."):
        channel.exchange_declare(exchange.name, exchange.type, durable=exchange.durable, auto_delete=False)
    channel.queue_bind(queue, exchange.name, key)
