"""The Redis broker: Celery's keys (wire.md 7), and messages that cannot be lost between the list and the worker."""

import contextlib
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kernel.contracts import (
    Broker,
    BrokerCaps,
    Consumer,
    Deadline,
    Delivery,
    Depth,
    Limits,
    Outgoing,
    PluginContext,
    PublishResult,
)
from kernel.contracts.manifest import Option
from kernel.contracts.simple import FORKS, ThreadLocalHandles, refusals
from kernel.contracts.simple.line import Line
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from plugin_broker_redis import envelope
from plugin_broker_redis.consumer import Counter, RedisConsumer
from plugin_broker_redis.desk import make_desk
from plugin_broker_redis.ear import Ear
from plugin_broker_redis.ending import Ending
from plugin_broker_redis.names import RESERVED, SEPARATOR, TOP_PRIORITY
from plugin_broker_redis.publishing import Publishing
from plugin_broker_redis.queues import Queues
from plugin_broker_redis.reserving import unknown_queue
from plugin_broker_redis.scripts import DEPTH, PURGE
from plugin_broker_redis.single import MAX_BODY
from plugin_common_redis import Phone, Wire, parse

OPTIONS: Final[dict[str, Option]] = {
    "visibility_timeout": Option(
        (int, float), 3600, "seconds after which any client restores what a Celery worker left; the same for all"
    ),
    "lease_s": Option((int, float), 60.0, "seconds a delivery stays hidden unless renewed, for queues that do not say"),
    "global_keyprefix": Option(str, "", "text before every key and channel; the same for all clients"),
    "priority_steps": Option(
        (list, tuple, type(None)),
        None,
        "priorities with a list of their own; None: [0, 3, 6, 9] with namespace celery, else all ten",
    ),
    "priority_zero_first": Option(
        (bool, type(None)), None, "whether 0 is the most urgent priority; None: with namespace celery, as Celery has it"
    ),
    "dedup_window_s": Option((int, float), 300.0, "seconds a deduplication id is remembered"),
    "socket_timeout": Option((int, float), 5.0, "seconds a receive bears a server that says nothing"),
    "master_name": Option(str, "", "the master's name at the sentinels, when the URL does not say"),
}
CAPS: Final = BrokerCaps(
    confirm=True,
    persist=True,
    attempts=True,
    lease=True,
    nack_delay=True,
    dlq=True,
    order=True,
    priority=True,
    delay=True,
    ttl=True,
    dedup=True,
    fanout=True,
    exchanges=True,
    depth=True,
    purge=True,
    peek=True,
    prefetch=True,
    cross_settle=True,
    uncount=True,
    tls=True,
    auth=True,
    limits=Limits(
        max_body=MAX_BODY,
        max_delay_s=10 * 366 * 86_400.0,
        max_lease_s=366 * 86_400.0,
        max_priority=TOP_PRIORITY,
        granularity_s=0.1,
    ),
)
COUNTED: Final = 20_000
"""Up to so many entries in flight or delayed are counted for :meth:`RedisBroker.depth`; beyond, they are unknown."""


class RedisBroker(Broker):
    """``redis://``, ``rediss://``, ``redis+socket://``, ``sentinel://``, ``redis+cluster://`` and their TLS forms."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        given: dict[str, Any] = {name: option.default for name, option in OPTIONS.items()} | dict(options)
        address = parse(url, given["master_name"])
        self._name = address.name
        self._desk = make_desk(address, given, ctx, CAPS)
        self._number = itertools.count(1).__next__
        handles = ThreadLocalHandles(lambda deadline: Phone(self._desk.connector, deadline), Phone.close, self._number)
        self._line = Line(handles, self._desk.natives, address.name)
        self._queues = Queues(self._desk.names, uuid.uuid4().hex)
        self._publishing = Publishing(self._desk, self._queues)
        self._ending = Ending(self._desk, self._queues)
        self._counter = Counter(self._desk, self._queues, self._ending, self._lend, self._number)
        self._consumers: list[RedisConsumer] = []
        self._temporary: dict[str, Ear] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def capabilities(self) -> BrokerCaps:
        """All but ordering groups and bytes in headers."""
        return CAPS

    def open(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.open`."""
        FORKS.watch(self)
        self._line.handles.give_back(self._line.connected(deadline))
        self._line.opened = True

    def close(self, deadline: Deadline) -> None:
        """Give back what consumers hold, and remove this connection's temporary queues."""
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.close(release=True, deadline=deadline)
        temporary, self._temporary = self._temporary, {}
        for ear in temporary.values():
            ear.drop()
        if temporary and self._line.opened:
            with contextlib.suppress(DriverError), self._lend("removing temporary queues", deadline) as wire:
                for name in temporary:
                    self._queues.delete(wire, name, deadline)
        self._line.close()

    def ping(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.ping`."""
        with self._lend("ping", deadline) as wire:
            wire.ask(["PING"], deadline)

    def after_fork(self) -> None:
        """See :meth:`kernel.contracts.Driver.after_fork`. Consumers and temporary queues stay with the parent."""
        for phone in self._line.handles.abandon():
            phone.abandon()
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.abandon()
        temporary, self._temporary = self._temporary, {}
        for ear in temporary.values():
            ear.abandon()

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.declare`."""
        self._line.check_open()
        for spec in specs:
            _check_spec(spec)
        with self._lend("declaring queues", deadline) as wire:
            for spec in specs:
                self._queues.declare(wire, spec, deadline)
                if spec.temporary:
                    self._temporary.setdefault(spec.name, Ear(self._desk, spec))
                    if self._temporary[spec.name].needed:
                        self._temporary[spec.name].connect(deadline)

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.delete`."""
        with self._lend("deleting queues", deadline) as wire:
            for name in queues:
                if _refused_name(name) is None:
                    self._queues.delete(wire, name, deadline)
                ear = self._temporary.pop(name, None)
                if ear is not None:
                    ear.drop()

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.Broker.publish`."""
        self._line.check_open()
        if not items:
            return []
        with self._line.call("publishing", deadline) as handle:
            return self._publishing.publish(handle.conn.wire(deadline), items, deadline)

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """See :meth:`kernel.contracts.Broker.consumer`. An unknown queue is noticed by the first ``receive``."""
        self._line.check_open()
        for name in queues:
            refused = _refused_name(name)
            if refused is not None:
                raise refused
        names = list(dict.fromkeys(queues))
        ears = [ear for name in names if (ear := self._temporary.get(name)) is not None and ear.needed]
        consumer = RedisConsumer(self._counter, names, prefetch, ears)
        self._consumers = [*(one for one in self._consumers if not one.closed), consumer]
        return consumer

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """See :meth:`kernel.contracts.Broker.depth`. What Celery workers hold is not told by queue."""
        with self._lend("counting", deadline) as wire:
            return {name: self._depth(wire, name, deadline) for name in queues}

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """See :meth:`kernel.contracts.Broker.purge`."""
        names = self._desk.names
        found: dict[str, int | None] = {}
        with self._lend("purging", deadline) as wire:
            for name in queues:
                count = PURGE.run(wire, [names.registry, *names.lists_of(name)], [name], deadline)
                if count < 0:
                    raise unknown_queue(name)
                found[name] = count
        return found

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        """See :meth:`kernel.contracts.Broker.peek`: those that would be taken next, in their order."""
        found: list[Delivery] = []
        with self._lend("looking", deadline) as wire:
            if queue not in self._queues.look(wire, [queue], deadline):
                raise unknown_queue(queue)
            for key in self._desk.names.lists_of(queue):
                left = max_n - len(found)
                if left > 0:
                    texts = wire.ask(["LRANGE", key, -left, -1], deadline)
                    found += [_seen(envelope.read(text, queue)) for text in reversed(texts)]
        return found

    def _depth(self, wire: Wire, name: str, deadline: Deadline) -> Depth:
        names = self._desk.names
        keys = [names.registry, names.index, *names.lists_of(name)]
        ready, out, delayed = DEPTH.run(wire, keys, [name, f"{SEPARATOR}{name}", COUNTED], deadline)
        if ready < 0:
            raise unknown_queue(name)
        return Depth(ready, None if out < 0 else out, None if delayed < 0 else delayed)

    @contextmanager
    def _lend(self, what: str, deadline: Deadline) -> Iterator[Wire]:
        with self._line.call(what, deadline) as handle:
            yield handle.conn.wire(deadline)


def _seen(letter: envelope.Letter) -> Delivery:
    reason, origin = letter.dead or (None, None)
    attempts = letter.attempts + 1
    return Delivery(letter.message, None, attempts, letter.redelivered, dead_reason=reason, dead_queue=origin)


def _refused_name(name: str) -> DriverError | None:
    if isinstance(name, str) and RESERVED.fullmatch(name):
        return DriverError(
            Code.INVALID, f"The name {name!r} is one of the broker's own", cure="Choose another name for the queue."
        )
    return refusals.refused_name(name, CAPS)


def _check_spec(spec: QueueSpec) -> None:
    """Refuse a queue that cannot be had.

    Raises:
        DriverError: INVALID or UNSUPPORTED.
    """
    for name in filter(None, (spec.name, spec.dead_letter)):
        refused = _refused_name(name)
        if refused is not None:
            raise refused
    refused = refusals.refused_spec(spec, CAPS)
    if refused is None and "headers" in {spec.exchange.type, *(one.exchange.type for one in spec.bindings)}:
        refused = refusals.unsupported("exchanges", f"Queue {spec.name!r} on an exchange of type 'headers'")
    if refused is not None:
        raise refused
