"""``app.control``: commands to workers from afar (features.md 2.5, wire.md 12)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict, Unpack

from kernel.app.inspect import Inspect
from kernel.app.ports import App
from kernel.contracts.deadline import Deadline
from kernel.engine.control import check_selection
from kernel.errors import Code, DriverError
from kernel.model.control import ControlRequest, Reply

TIMEOUT_S = 1.0
"""Seconds to wait for answers."""
PURGE_S = 60.0


class Common(TypedDict, total=False):
    """Options of every command.

    ``reply`` waits for answers, until there are ``limit`` of them (by default as many as there are names in
    ``destination``), and calls ``callback`` with each. Without a destination, nodes whose name matches ``pattern`` are
    meant: a glob or, with ``matcher="pcre"``, a regular expression. ``connection`` is of no use here, and accepted from
    callers that pass one everywhere.
    """

    reply: bool
    limit: int | None
    callback: Callable[[Reply], Any] | None
    pattern: str | None
    matcher: str | None
    connection: Any


class Options(Common, total=False):
    """With ``timeout``, the seconds to wait for answers: 1 unless it says otherwise."""

    timeout: float | None


class Broadcast(Options, total=False):
    """With ``destination``, a list of the names of the nodes that are meant; None is all."""

    destination: Sequence[str] | None


Replies = list[Reply] | None


class Control:
    """Sends commands to workers. Each returns None, or with ``reply=True`` the answers: a list of ``{node: answer}``.

    Args:
        app: the application whose workers are meant: those with its broker and namespace.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.inspect = partial(Inspect, app=app)

    def broadcast(
        self, command: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Broadcast]
    ) -> Replies:
        """Send a command of any name; options as in :class:`Broadcast`.

        Raises:
            PluginError: E107 when the broker cannot carry remote control.
            DriverError: it could not be sent, or answers could not be received.
            EncodeError: for an argument the serializer cannot carry.
            TypeError: for an unknown option.
            ValueError: for nodes that cannot be meant.
        """
        for name in options:
            if name not in Broadcast.__annotations__:
                raise TypeError(f"{command}() got an unexpected option {name!r}")
        destination, pattern = options.get("destination"), options.get("pattern")
        matcher = options.get("matcher") or ("glob" if pattern is not None else None)
        check_selection(destination, pattern, matcher)
        request = ControlRequest(command, arguments or {}, tuple(destination or ()), pattern, matcher)
        if not options.get("reply"):
            self.app.client.tell_workers(request)
            return None
        timeout = options.get("timeout")
        limit = options.get("limit") or len(request.destination) or None
        return self.app.client.ask_workers(
            request, TIMEOUT_S if timeout is None else timeout, limit, options.get("callback")
        )

    def ping(
        self, destination: Sequence[str] | None = None, timeout: float = TIMEOUT_S, **options: Unpack[Common]
    ) -> list[Reply]:
        """Ask for signs of life: ``[{"w1@host": {"ok": "pong"}}]``."""
        asked: Broadcast = {**options, "destination": destination, "timeout": timeout, "reply": True}
        return self.broadcast("ping", **asked) or []

    # Tasks

    def revoke(
        self,
        task_id: str | Sequence[str],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: str | int = "SIGTERM",
        **options: Unpack[Options],
    ) -> Replies:
        """Have workers discard these tasks instead of running them; a worker remembers them for hours.

        Args:
            task_id: one id or several.
            destination: names of the workers meant; None is all of them.
            terminate: also end the executor of one that runs.
            signal: with this signal.
            options: as in :class:`Options`.
        """
        ids = task_id if isinstance(task_id, str) else list(task_id)
        arguments = {"task_id": ids, "terminate": terminate, "signal": signal}
        return self.broadcast("revoke", arguments, **_to(destination, options))

    def terminate(
        self,
        task_id: str | Sequence[str],
        destination: Sequence[str] | None = None,
        signal: str | int = "SIGTERM",
        **options: Unpack[Options],
    ) -> Replies:
        """:meth:`revoke` with ``terminate=True``."""
        return self.revoke(task_id, destination, terminate=True, signal=signal, **options)

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: str | int = "SIGTERM",
        **options: Unpack[Options],
    ) -> Replies:
        """As :meth:`revoke`, for tasks that carry one of these stamps: header → value, or list of values."""
        arguments = {"headers": dict(headers), "terminate": terminate, "signal": signal}
        return self.broadcast("revoke_by_stamped_headers", arguments, **_to(destination, options))

    def rate_limit(
        self,
        task_name: str,
        rate_limit: str | float | None,
        destination: Sequence[str] | None = None,
        **options: Unpack[Options],
    ) -> Replies:
        """Change the rate limit of a task, such as ``"10/m"``; 0 or None is no limit."""
        arguments = {"task_name": task_name, "rate_limit": rate_limit}
        return self.broadcast("rate_limit", arguments, **_to(destination, options))

    def time_limit(
        self,
        task_name: str,
        soft: float | None = None,
        hard: float | None = None,
        destination: Sequence[str] | None = None,
        **options: Unpack[Options],
    ) -> Replies:
        """Change the time limits of a task, in seconds, for runs that begin from now on; None is no limit."""
        arguments = {"task_name": task_name, "soft": soft, "hard": hard}
        return self.broadcast("time_limit", arguments, **_to(destination, options))

    # Queues

    def add_consumer(
        self,
        queue: str,
        exchange: str | None = None,
        exchange_type: str = "direct",
        routing_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        destination: Sequence[str] | None = None,
        **more: Unpack[Options],
    ) -> Replies:
        """Have workers consume one more queue; a configured one by its name alone."""
        arguments = {
            **(options or {}),
            "queue": queue,
            "exchange": exchange,
            "exchange_type": exchange_type,
            "routing_key": routing_key,
        }
        return self.broadcast("add_consumer", arguments, **_to(destination, more))

    def cancel_consumer(
        self, queue: str, destination: Sequence[str] | None = None, **options: Unpack[Options]
    ) -> Replies:
        """Have workers consume a queue no longer."""
        return self.broadcast("cancel_consumer", {"queue": queue}, **_to(destination, options))

    def purge(self, connection: Any = None) -> int:  # noqa: ARG002 - see Common
        """Delete what waits in the application's queues; how many messages, as far as the broker knows.

        There is no way back.

        Raises:
            DriverError: when the broker cannot do it.
        """
        services = self.app.client.services
        deadline = Deadline.after(PURGE_S)
        deleted = 0
        for name in services.topology.queues:
            try:
                deleted += services.broker.purge([name], deadline)[name] or 0
            except DriverError as error:
                if error.code is not Code.NOT_FOUND:  # nobody has used it yet
                    raise
        return deleted

    discard_all = purge

    # Workers

    def enable_events(self, destination: Sequence[str] | None = None, **options: Unpack[Options]) -> Replies:
        """Have workers publish task events."""
        return self.broadcast("enable_events", **_to(destination, options))

    def disable_events(self, destination: Sequence[str] | None = None, **options: Unpack[Options]) -> Replies:
        """Have workers publish none."""
        return self.broadcast("disable_events", **_to(destination, options))

    def heartbeat(self, destination: Sequence[str] | None = None, **options: Unpack[Options]) -> Replies:
        """Have workers publish a heartbeat now."""
        return self.broadcast("heartbeat", **_to(destination, options))

    def pool_grow(self, n: int = 1, destination: Sequence[str] | None = None, **options: Unpack[Options]) -> Replies:
        """Have pools grow by ``n`` executors."""
        return self.broadcast("pool_grow", {"n": n}, **_to(destination, options))

    def pool_shrink(self, n: int = 1, destination: Sequence[str] | None = None, **options: Unpack[Options]) -> Replies:
        """Have pools shrink by ``n`` executors; busy ones go when they have finished."""
        return self.broadcast("pool_shrink", {"n": n}, **_to(destination, options))

    def autoscale(
        self,
        max: int,  # noqa: A002 - the documented name
        min: int,  # noqa: A002 - likewise
        destination: Sequence[str] | None = None,
        **options: Unpack[Options],
    ) -> Replies:
        """Change the bounds of workers that were started with ``--autoscale``."""
        return self.broadcast("autoscale", {"max": max, "min": min}, **_to(destination, options))

    def shutdown(self, destination: Sequence[str] | None = None, **options: Unpack[Options]) -> Replies:
        """Have workers finish what runs, and end."""
        return self.broadcast("shutdown", **_to(destination, options))


def _to(destination: Sequence[str] | None, options: Options) -> Broadcast:
    return {**options, "destination": destination}
