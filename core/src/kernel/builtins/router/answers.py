"""What a rule or a router function may answer, as a Route."""

from collections.abc import Mapping

from kernel.errors import ImproperlyConfigured, QueueNotFound
from kernel.errors.near import did_you_mean
from kernel.model.options import CallOptions
from kernel.model.topology import Route, Topology

_PLACES = frozenset({"queue", "exchange", "routing_key"})
_OF_ONE_CALL = frozenset(
    {
        "task_id", "link", "link_error", "group_id", "group_index", "root_id", "parent_id", "reply_to", "chain",
        "chord", "retries", "add_to_parent", "replaced_task_nesting", "stamped_headers", "stamps", "dedup_id",
        "publisher", "producer", "connection",
    }
)  # fmt: skip
"""Options that belong to a single call; a route that set them would break it."""

ROUTE_KEYS = frozenset(CallOptions.__annotations__) - _OF_ONE_CALL


def read_route(answer: object, source: str) -> Route | None:
    """Understand an answer: None or ``{}`` is no answer, a str is a queue.

    Args:
        answer: the answer.
        source: where it comes from, for messages.

    Raises:
        ImproperlyConfigured: for anything that is no route.
    """
    if answer is None or isinstance(answer, Route):
        return answer
    if isinstance(answer, str) and answer:
        return Route(queue=answer)
    if not isinstance(answer, Mapping):
        raise ImproperlyConfigured(
            f"{source}: a route must be a queue's name or a mapping such as {{'queue': 'hipri'}}, not {answer!r:.80}"
        )
    if not answer:
        return None
    for key in answer:
        if key not in ROUTE_KEYS:
            hint = did_you_mean(str(key), ROUTE_KEYS) or f"A route may set {', '.join(sorted(ROUTE_KEYS))}."
            raise ImproperlyConfigured(f"{source}: a route cannot set {key!r}", cure=hint)
    return Route(
        queue=_name(answer, "queue", source),
        exchange=_name(answer, "exchange", source),
        routing_key=_name(answer, "routing_key", source),
        options={key: value for key, value in answer.items() if key not in _PLACES},
    )


def check_queue(route: Route, topology: Topology, source: str) -> Route:
    """The route itself, when its queue exists or may be created.

    Raises:
        QueueNotFound: when not.
    """
    if route.queue and not topology.create_missing and route.queue not in topology.queues:
        raise QueueNotFound(
            f"{source}: queue {route.queue!r} is not configured, and task_create_missing_queues is off",
            cure=did_you_mean(route.queue, topology.queues) or "Add it to task_queues.",
        )
    return route


def _name(answer: Mapping[str, object], key: str, source: str) -> str | None:
    """A queue or exchange may be given as an object with a name; an exchange may be the default one, named ``""``."""
    value = answer.get(key)
    if value is None or (value == "" and key != "exchange"):
        return None
    name = value if isinstance(value, str) or key == "routing_key" else getattr(value, "name", None)
    if not isinstance(name, str):
        raise ImproperlyConfigured(f"{source}: {key} must be a str, not {value!r:.80}")
    return name
