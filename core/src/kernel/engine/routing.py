"""Where a call goes: the one function behind every path that publishes (pains P07).

What the call says wins over what routers say, and that over configuration (features.md 2.8).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kernel.contracts.router import CompiledRouter
from kernel.engine.topology import matching_queues, queue_spec
from kernel.errors import ImproperlyConfigured, KernelError
from kernel.model.options import CallOptions
from kernel.model.topology import QueueSpec, Route, TaskRef, Topology

NO_ROUTE = Route()
_NAMES_KEPT = 10_000


class Destination(NamedTuple):
    """A resolved call.

    Attributes:
        queue: name of the queue; empty when the call goes to an exchange only.
        exchange: name of the exchange; empty for a direct exchange, as the queue is then reached by its name.
        routing_key: the key to publish with.
        options: the call's options, completed by the route's.
        spec: the queue as it is to be declared; None when the call goes to an exchange only.
    """

    queue: str
    exchange: str
    routing_key: str
    options: Mapping[str, object]
    spec: QueueSpec | None = None


class RouteResolver:
    """Decides destinations. Safe in any thread, and after a fork.

    Args:
        routers: asked in this order; the first that answers decides.
        topology: the configured queues.

    Attributes:
        by_name: whether routers look at the names of tasks only.
    """

    def __init__(self, routers: Sequence[CompiledRouter], topology: Topology) -> None:
        self._routers = tuple(routers)
        self._topology = topology
        self.by_name = all(getattr(router, "by_name", False) for router in self._routers)
        self._kept: dict[str, tuple[Route, Destination]] = {}

    def resolve(self, ref: TaskRef, options: CallOptions) -> Destination:
        """The destination of one call.

        A direct queue is reached by its name through the default exchange. A queue on another type of exchange is
        reached through that, and so is an explicit exchange with an explicit routing key (wire.md 5.2).

        Raises:
            QueueNotFound: for a queue that is not configured, with ``task_create_missing_queues`` off.
            ImproperlyConfigured: for a queue, exchange or routing key of a wrong type.
            KernelError: when a router fails; names router and task.
        """
        kept = self._kept.get(ref.name)
        route = kept[0] if kept is not None else self._ask(ref)
        if options.get("queue") or options.get("exchange") is not None or options.get("routing_key"):
            found = self._explicit(route, options)
        elif kept is not None:
            found = kept[1]
        else:
            found = self._from_route(route)
            self._keep(ref.name, route, found)
        queue, exchange, key, _, spec = found
        return Destination(queue, exchange, key, _merged(route, options), spec)

    def _ask(self, ref: TaskRef) -> Route:
        for router in self._routers:
            try:
                route = router(ref)
            except KernelError:
                raise
            except Exception as exc:
                name = getattr(router, "__qualname__", type(router).__qualname__)
                raise KernelError(
                    f"Router {name} failed for task {ref.name!r}: {type(exc).__name__}: {exc}",
                    cure="Correct the router; the call was not published.",
                ) from exc
            if route is not None:
                return route
        return NO_ROUTE

    def _keep(self, name: str, route: Route, found: Destination) -> None:
        if self.by_name:
            if len(self._kept) >= _NAMES_KEPT:  # names may come from outside and never end
                self._kept.clear()
            self._kept[name] = (route, found)

    def _from_route(self, route: Route) -> Destination:
        spec = queue_spec(self._topology, route.queue) if route.queue else None
        return self._destination(spec, route.exchange, route.routing_key)

    def _explicit(self, route: Route, options: CallOptions) -> Destination:
        """What the call says replaces the route as a whole; only a key alone is added to it."""
        queue, exchange = options.get("queue"), _name(options.get("exchange"), "exchange")
        key = options.get("routing_key") or None
        if key is not None and not isinstance(key, str):
            raise ImproperlyConfigured(f"routing_key must be a str, not {key!r:.80}")
        if not queue and exchange is None:
            spec = queue_spec(self._topology, route.queue) if route.queue else None
            return self._destination(spec, route.exchange, key)
        return self._destination(self._spec(queue) if queue else None, exchange, key)

    def _spec(self, queue: object) -> QueueSpec:
        """A queue given as a specification is taken as it is."""
        if isinstance(queue, QueueSpec) and queue.name not in self._topology.queues:
            return queue
        return queue_spec(self._topology, _name(queue, "queue") or "")

    def _destination(self, spec: QueueSpec | None, exchange: str | None, key: str | None) -> Destination:
        if exchange and (key or spec is None):
            name = spec.name if spec else ""
            return Destination(name, exchange, key or self._topology.default_routing_key, {}, spec)
        if spec is None and key:
            return self._by_key(exchange, key)
        return _through(spec or queue_spec(self._topology, self._topology.default_queue), exchange, key)

    def _by_key(self, exchange: str | None, key: str) -> Destination:
        """What a key alone means: a queue's name on the default exchange of AMQP, else a key of the default queue's."""
        if exchange == "":
            return _through(queue_spec(self._topology, key), exchange, key)
        default = queue_spec(self._topology, self._topology.default_queue)
        if default.exchange.type != "direct":
            return _through(default, exchange, key)
        bound = matching_queues(self._topology, default.exchange.name, key)
        if len(bound) > 1:
            return Destination("", default.exchange.name, key, {}, None)
        return _through(self._topology.queues[bound[0]] if bound else default, exchange, key)


def _through(spec: QueueSpec, exchange: str | None, key: str | None) -> Destination:
    if spec.exchange.type == "direct" or exchange == "":
        return Destination(spec.name, "", spec.name, {}, spec)
    return Destination(spec.name, exchange or spec.exchange.name, key or spec.key, {}, spec)


def _merged(route: Route, options: CallOptions) -> Mapping[str, object]:
    if not route.options:
        return options
    return {**route.options, **{key: value for key, value in options.items() if value is not None}}


def _name(value: object, what: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    name = getattr(value, "name", None)
    if not isinstance(name, str):
        raise ImproperlyConfigured(
            f"{what} must be a name or an object with a name, not {value!r:.80}", cure=f"Give the {what}'s name."
        )
    return name
