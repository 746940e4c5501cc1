"""A whole broker out of an author's verbs (contracts.md, "Lifecycle and reconnection" and "Threads and fork")."""

import itertools
from collections.abc import Mapping, Sequence

from kernel.contracts.broker import PUBLISHED, Consumer, Delivery, Depth, Outgoing, PublishResult
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.simple import refusals
from kernel.contracts.simple.consumer import SimpleConsumer
from kernel.contracts.simple.fork import FORKS
from kernel.contracts.simple.handles import ThreadLocalHandles
from kernel.contracts.simple.line import Line
from kernel.contracts.simple.natives import BROKEN, Natives
from kernel.contracts.simple.shared_handle import SharedHandle
from kernel.contracts.simple.verbs import Verbs
from kernel.errors import Applied, Code, DriverError
from kernel.model.topology import QueueSpec


class SimpleBroker(Verbs):
    """Maps the verbs of :class:`~kernel.contracts.simple.verbs.Verbs` to the broker contract.

    It supplies opening and closing, a connection for each thread made anew after a loss, forks, errors, batches with
    one result for each item, checks against limits and capabilities, idle waiting, ``wake()`` and prefetch.
    """

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        super().__init__(url, options, ctx)
        self._natives = Natives(self.name, self.ERRORS, self.secrets)
        self._number = itertools.count(1).__next__
        handles = ThreadLocalHandles(self.connect, self.disconnect, self._number)
        self._line = Line(handles, self._natives, self.name)
        self._consumers: list[SimpleConsumer] = []

    def open(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.open`."""
        FORKS.watch(self)
        self._line.handles.give_back(self._line.connected(deadline))
        self._line.opened = True

    def close(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.close`. Consumers give back what they hold."""
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.close(release=True, deadline=deadline)
        self._line.close()

    def ping(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.ping`."""
        with self._line.call("ping", deadline) as handle:
            self.do_ping(handle.conn, deadline)

    def after_fork(self) -> None:
        """See :meth:`kernel.contracts.Driver.after_fork`. Consumers stay with the parent; here they are closed."""
        consumers, self._consumers = self._consumers, []
        inherited = [consumer.abandon() for consumer in consumers]
        for conn in itertools.chain(self._line.handles.abandon(), *inherited):
            self.abandon(conn)

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.declare`."""
        self._line.check_open()
        for spec in specs:
            refused = refusals.refused_spec(spec, self.CAPS)
            if refused is not None:
                raise refused
        for spec in specs:
            with self._line.call(f"declaring queue {spec.name!r}", deadline) as handle:
                self.do_declare(handle.conn, spec, deadline)

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.delete`."""
        self._line.check_open()
        for queue in queues:
            if refusals.refused_name(queue, self.CAPS) is not None:
                continue  # nobody can have declared it
            try:
                with self._line.call(f"deleting queue {queue!r}", deadline) as handle:
                    self.do_delete(handle.conn, queue, deadline)
            except DriverError as error:
                if error.code is not Code.NOT_FOUND:
                    raise

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.Broker.publish`."""
        self._line.check_open()
        results = [PublishResult(refusals.refused_item(item, self.CAPS)) for item in items]
        taken = [index for index, result in enumerate(results) if result.ok]
        size = self.CAPS.limits.max_batch or 1
        lost: DriverError | None = None
        for start in range(0, len(taken), size):
            chunk = taken[start : start + size]
            errors: Sequence[DriverError | None] = [lost] * len(chunk)
            if lost is None:
                errors = self._publish([items[index] for index in chunk], deadline, first=start == 0)
                lost = next((_unsent(error) for error in errors if error is not None and error.code in BROKEN), None)
            for index, error in zip(chunk, errors, strict=True):
                results[index] = PUBLISHED if error is None else PublishResult(error)
        for consumer in self._consumers:
            consumer.look()
        return results

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """See :meth:`kernel.contracts.Broker.consumer`."""
        self._line.check_open()
        line = self._line
        if not self.CAPS.lease:
            shared = SharedHandle(self.connect, self.disconnect, self._number)
            line = Line(shared, self._natives, self.name, private=True)
            line.opened = True
        consumer = SimpleConsumer(self, line, list(dict.fromkeys(queues)), prefetch)
        self._consumers = [*(one for one in self._consumers if not one.closed), consumer]
        return consumer

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """See :meth:`kernel.contracts.Broker.depth`."""
        self._check("depth", queues)
        found = {}
        for queue in queues:
            with self._line.call(f"counting queue {queue!r}", deadline) as handle:
                found[queue] = self.do_depth(handle.conn, queue, deadline)
        return found

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """See :meth:`kernel.contracts.Broker.purge`."""
        self._check("purge", queues)
        found = {}
        for queue in queues:
            with self._line.call(f"purging queue {queue!r}", deadline) as handle:
                found[queue] = self.do_purge(handle.conn, queue, deadline)
        return found

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        """See :meth:`kernel.contracts.Broker.peek`."""
        self._check("peek", [queue])
        with self._line.call(f"looking into queue {queue!r}", deadline) as handle:
            return list(itertools.islice(self.do_peek(handle.conn, queue, max_n, deadline), max_n))

    def _publish(self, items: list[Outgoing], deadline: Deadline, *, first: bool) -> Sequence[DriverError | None]:
        """What came of a chunk. That no connection can be had for the first one is raised: nothing was sent at all."""
        reached = False
        try:
            with self._line.call("publishing", deadline) as handle:
                reached = True
                errors = self.do_publish(handle.conn, items, deadline)
        except DriverError as error:
            if first and not reached:
                raise
            return [error] * len(items)
        if errors is None:
            return [None] * len(items)
        return [error if error is None else self._translated(error) for error in errors]

    def _translated(self, error: BaseException) -> DriverError:
        if not isinstance(error, Exception):
            raise error
        return self._natives.translate(error, "publishing")

    def _check(self, capability: str, queues: Sequence[str]) -> None:
        self._line.check_open()
        if not getattr(self.CAPS, capability):
            raise self.unsupported(capability)
        for queue in queues:
            refused = refusals.refused_name(queue, self.CAPS)
            if refused is not None:
                raise refused


def _unsent(error: DriverError) -> DriverError:
    """The fate of messages behind one whose connection broke: certainly not sent."""
    found = DriverError(
        Code(error.code),
        f"Not sent, because of an earlier failure: {error}",
        outcome=Applied.NOT_APPLIED,
        cure=error.cure,
    )
    found.__cause__ = error
    return found
