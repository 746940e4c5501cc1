"""What an application uses of the runtime: publishing, results, eager runs; one per process and configuration."""

from collections.abc import Callable, Mapping, Sequence

from kernel.engine.attempt import RunnableTask
from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.config import Config
from kernel.model.context import Request
from kernel.model.control import ControlRequest, Reply
from kernel.model.outcome import Outcome
from kernel.runtime.boot import Services, build_services
from kernel.runtime.chords import Chords
from kernel.runtime.client_events import ClientEvents
from kernel.runtime.eager import EagerRun
from kernel.runtime.mailbox import Mailbox
from kernel.runtime.process_name import client_name
from kernel.runtime.producers import ProducerPool
from kernel.runtime.publisher import Defaults
from kernel.runtime.requester import Requester
from kernel.runtime.results import Results


class Client:
    """The runtime of one application in this process.

    Args:
        services: drivers and codecs, opened when first used.
    """

    def __init__(self, services: Services) -> None:
        config = services.config
        self.config = config
        self.services = services
        self._events = ClientEvents(services)
        self.results = Results(services)
        self.pool = ProducerPool(self._publish, config.broker_pool_limit, config.broker_pool_acquire_timeout)

    @classmethod
    def build(cls, config: Config, defaults: Defaults, mailbox: Mailbox | None) -> "Client":
        """Load the plugins the configuration asks for, and build the client on them.

        Args:
            config: the effective settings.
            defaults: execution options that a task declares, by its name.
            mailbox: that of the application's earlier client in this process; None for the first one.

        Raises:
            PluginError: for a plugin that is missing, broken or incompatible.
        """
        services = build_services(config, client_name(), mailbox=mailbox)
        client = cls(services)
        services.defaults = defaults
        services.reads_results = True
        services.emit = client.emit
        return client

    def run_locally(
        self, calls: Sequence[Call], tasks: Mapping[str, RunnableTask], *, serialize: bool
    ) -> Mapping[str, Outcome]:
        """Run bodies here and now, with what follows them; outcomes by task id."""
        return EagerRun(self.services, tasks, serialize=serialize).run(calls)

    def announce(self, joins: Sequence[Expected]) -> list[Call]:
        """Announce chords before their members are sent; calls to be sent with them."""
        return self.services.joins.expect(joins)

    def chords(self, tasks: Mapping[str, RunnableTask], request: Request) -> Chords:
        """What the built-in tasks do for chords."""
        return Chords(self.services, tasks, request)

    def emit(self, events: Sequence[Mapping[str, object]]) -> None:
        """Publish monitoring events, best effort."""
        self._events.emit(events)

    def tell_workers(self, request: ControlRequest) -> None:
        """Send a command that wants no answer; raises as :meth:`kernel.runtime.requester.Requester.tell`."""
        Requester(self.services).tell(request)

    def ask_workers(
        self,
        request: ControlRequest,
        timeout_s: float,
        limit: int | None,
        callback: Callable[[Reply], object] | None,
    ) -> list[Reply]:
        """Send a command, and collect the answers; see :meth:`kernel.runtime.requester.Requester.ask`."""
        return Requester(self.services).ask(request, timeout_s, limit, callback)

    def close(self) -> None:
        """Close the drivers."""
        self.services.close()

    def _publish(self, calls: Sequence[Call]) -> None:
        self.services.publisher.publish(calls)
