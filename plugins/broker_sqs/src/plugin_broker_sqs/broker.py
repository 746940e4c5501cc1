"""The broker: what the kernel calls, handed to those who do it."""

import itertools
import threading
import time
from collections.abc import Mapping, Sequence

from kernel.contracts.broker import Broker, Consumer, Depth, Outgoing, PublishResult
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.simple import FORKS, refusals
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from plugin_broker_sqs.capabilities import claims
from plugin_broker_sqs.consumer import SqsConsumer
from plugin_broker_sqs.line import Line, Plan
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import read_settings


class SqsBroker(Broker):
    """``sqs://``: queues of one AWS account and region, or of a server that speaks the same protocol."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        settings = read_settings(url, options, ctx.namespace)
        names = QueueNames(settings)
        self._plan = Plan(settings, names, claims(settings, names), ctx.clock or time.time, {})
        self._number = itertools.count(1).__next__
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._opened = False
        self._consumers: list[SqsConsumer] = []

    def __repr__(self) -> str:
        return f"<SqsBroker {self._plan.settings.shown}>"

    def capabilities(self) -> BrokerCaps:
        """See :meth:`kernel.contracts.Broker.capabilities`."""
        return self._plan.caps

    def open(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.open`. The client is kept over ``close``: making one takes long."""
        FORKS.watch(self)
        with self._lock:
            if self._line is None:
                self._line = self._connected()
        self._line.api.ping(deadline)
        self._opened = True

    def close(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.close`. Consumers give back what they hold."""
        self._opened = False
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.wake()
        for consumer in consumers:
            consumer.close(release=True, deadline=deadline)
        if self._line is not None:
            self._line.api.close()

    def ping(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.ping`."""
        self._open_line().api.ping(deadline)

    def after_fork(self) -> None:
        """See :meth:`kernel.contracts.Driver.after_fork`. The client stays with the parent; a new one is made."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._line = None
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.abandon()

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.declare`."""
        line = self._open_line()
        for spec in specs:
            refused = refusals.refused_spec(spec, self._plan.caps) or _expiring(spec)
            if refused is not None:
                raise refused
            for name in (spec.name, spec.dead_letter):
                if name is not None and not self._plan.settings.predefined_queues:
                    self._plan.names.at_server(name)
        for spec in specs:
            line.queues.declare(spec, deadline)

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Broker.delete`."""
        line = self._open_line()
        for queue in queues:
            if refusals.refused_name(queue, self._plan.caps) is None:  # another can never have been declared
                line.queues.delete(queue, deadline)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.Broker.publish`."""
        return self._open_line().publishing.publish(items, deadline)

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """See :meth:`kernel.contracts.Broker.consumer`."""
        line, plan = self._open_line(), self._plan
        made = SqsConsumer(
            line.receiving,
            line.settling,
            list(dict.fromkeys(queues)),
            prefetch,
            plan.clock,
            plan.settings.wait_time_s,
        )
        self._consumers = [*(one for one in self._consumers if not one.closed), made]
        return made

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """See :meth:`kernel.contracts.Broker.depth`."""
        line = self._open_line()
        return {queue: line.queues.depth(queue, deadline) for queue in queues}

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """See :meth:`kernel.contracts.Broker.purge`. The server says nobody how many there were."""
        line = self._open_line()
        for queue in queues:
            line.queues.purge(queue, deadline)
        return dict.fromkeys(queues)

    def _open_line(self) -> Line:
        if not self._opened:
            name = self._plan.settings.shown
            raise DriverError(Code.CLOSED, f"The broker {name} is not open", cure="Call open() first.")
        line = self._line
        if line is None:  # after a fork
            with self._lock:
                line = self._line = self._line or self._connected()
        return line

    def _connected(self) -> Line:
        # Importing the SDK takes half a second and a dozen megabytes, which whoever only lists plugins, or makes a
        # broker to ask what it can do, should not pay.
        from plugin_broker_sqs.sdk import SdkApi  # noqa: PLC0415 - see above

        return Line(SdkApi(self._plan.settings), self._plan, self._number())


def _expiring(spec: QueueSpec) -> DriverError | None:
    """Why a queue that is to end by itself cannot be declared: the server would keep it for ever."""
    if spec.expires_s is None:
        return None
    what = f"Queue {spec.name!r} with expires_s={spec.expires_s:g}: SQS keeps queues until they are deleted"
    return DriverError(Code.UNSUPPORTED, what, cure="Leave it out, and delete the queue yourself.")
