"""``app.control.inspect()``: questions to workers (features.md 2.5, wire.md 12)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kernel.app.current import app_or_default
from kernel.app.ports import App
from kernel.engine.control import check_selection
from kernel.model.control import ControlRequest, Reply

Answers = dict[str, Any] | None
"""Answers by node; None when nobody answered."""


class Inspect:
    """Asks workers, all at once, and returns what they answer by name; None when nobody answers in time.

    Args:
        destination: names of the workers meant, or one name; then only that worker's answer is returned. None is all.
        timeout: seconds to wait for answers.
        callback: called with each answer, ``{node: answer}``, as it comes.
        connection: of no use here, and accepted from callers that pass one everywhere.
        app: the application whose workers are meant; None is the current one.
        limit: answers to wait for; None is as many as there are names in ``destination``, else the whole time.
        pattern: without a destination, what names must match.
        matcher: ``glob``, or ``pcre`` for a regular expression.

    Raises:
        ValueError: for nodes that cannot be meant.
    """

    def __init__(  # noqa: PLR0913 - the documented parameters (features.md 2.5)
        self,
        destination: str | Sequence[str] | None = None,
        timeout: float = 1.0,
        callback: Callable[[Reply], Any] | None = None,
        connection: Any = None,
        app: App | None = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ) -> None:
        self.app: App = app_or_default(app)
        self.destination = destination
        self.timeout = timeout
        self.callback = callback
        self.connection = connection
        self.limit = limit
        self.pattern = pattern
        self.matcher = matcher or ("glob" if pattern is not None else None)
        check_selection([destination] if isinstance(destination, str) else destination, pattern, self.matcher)

    def ask(self, command: str, **arguments: Any) -> Any:
        """Ask with a command of any name.

        Returns:
            Answers by node, or the one answer when one node was named by a text; None without any.

        Raises:
            PluginError: E107 when the broker cannot carry remote control.
            DriverError: it could not be sent, or answers could not be received.
        """
        one = self.destination if isinstance(self.destination, str) else None
        names = (one,) if one is not None else tuple(self.destination or ())
        request = ControlRequest(command, arguments, names, self.pattern, self.matcher)
        limit = self.limit or len(names) or None
        replies = self.app.client.ask_workers(request, self.timeout, limit, self.callback)
        found = {node: answer for reply in replies for node, answer in reply.items()}
        return (found or None) if one is None else found.get(one)

    def ping(self, destination: str | Sequence[str] | None = None) -> Any:
        """Signs of life: ``{"ok": "pong"}`` by node."""
        if destination:
            self.destination = destination
        return self.ask("ping")

    def active(self, safe: bool | None = None) -> Any:
        """Tasks that run, a list of task infos by node; ``safe`` shows arguments as text."""
        return self.ask("active", safe=bool(safe))

    def reserved(self, safe: bool | None = None) -> Any:
        """Tasks that were received and wait for an executor."""
        return self.ask("reserved", safe=bool(safe))

    def scheduled(self, safe: bool | None = None) -> Any:
        """Tasks that wait in a worker for their time: ``{"eta", "priority", "request"}`` each."""
        return self.ask("scheduled", safe=bool(safe))

    def revoked(self) -> Any:
        """Ids of revoked tasks."""
        return self.ask("revoked")

    def registered(self, *taskinfoitems: str) -> Any:
        """Names of registered tasks, with these attributes."""
        return self.ask("registered", taskinfoitems=list(taskinfoitems))

    registered_tasks = registered

    def stats(self) -> Any:
        """Figures of each worker."""
        return self.ask("stats")

    def active_queues(self) -> Any:
        """Queues each worker consumes."""
        return self.ask("active_queues")

    def query_task(self, *ids: str | Iterable[str]) -> Any:
        """Where these tasks are: ``{id: [state, info]}`` by node."""
        wanted = [each for one in ids for each in ([one] if isinstance(one, str) else one)]
        return self.ask("query_task", ids=wanted)

    def conf(self, with_defaults: bool = False) -> Any:
        """Settings of each worker, passwords masked."""
        return self.ask("conf", with_defaults=with_defaults)

    def report(self) -> Any:
        """Versions, platform and settings of each worker, as text."""
        return self.ask("report")

    def clock(self) -> Any:
        """Logical clocks."""
        return self.ask("clock")

    def hello(self, from_node: str, revoked: Mapping[str, Any] | Sequence[str] | None = None) -> Any:
        """Introduce a node: it tells what it knows as revoked, and is told the same."""
        return self.ask("hello", from_node=from_node, revoked=list(revoked or ()))

    def memsample(self) -> Any:
        """The memory each worker's main process occupies."""
        return self.ask("memsample")
