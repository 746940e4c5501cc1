"""The router: which tasks, which key, which queue."""

from collections.abc import Mapping, Sequence

from kernel.contracts.router import CompiledRouter, Router
from kernel.errors import KernelError, QueueNotFound
from kernel.errors.near import did_you_mean
from kernel.model.glob import Glob
from kernel.model.topology import Route, TaskRef, Topology
from plugin_router_sharded.keys import SPAN, key_bytes, key_hash
from plugin_router_sharded.ring import Ring
from plugin_router_sharded.rules import Rules, read_rules

_CANARY = b"percent"


class ShardedRouter(Router):
    """Sends calls with the same key to the same queue, in every process and on every machine.

    Args:
        rules: a mapping with ``queues``, ``percent`` or both, and ``key``, ``tasks``, ``missing``.

    Raises:
        ImproperlyConfigured: for rules that cannot work.
    """

    def __init__(self, rules: object) -> None:
        self._rules = read_rules(rules)

    def compile(self, topology: Topology) -> CompiledRouter:
        """Check the queues and lay out the ring.

        Raises:
            QueueNotFound: for a queue that is not configured and may not be created.
        """
        for queue in (*self._rules.queues, *self._rules.percent):
            if not topology.create_missing and queue not in topology.queues:
                raise QueueNotFound(
                    f"task_routes, router 'sharded': queue {queue!r} is not configured, "
                    "and task_create_missing_queues is off",
                    cure=did_you_mean(queue, topology.queues) or "Add it to task_queues.",
                )
        return _Compiled(self._rules)


class _Compiled:
    """Answers per call; holds nothing that changes, so any thread may ask."""

    def __init__(self, rules: Rules) -> None:
        self._paths = rules.paths
        self._strict = rules.strict
        self._tasks = _Tasks(rules.tasks)
        self._bounds = _bounds(rules.percent)
        self._ring = Ring(rules.queues) if rules.queues else None
        self._routes = {queue: Route(queue=queue) for queue in (*rules.queues, *rules.percent)}
        self.by_name = all(path.by_name for path in rules.paths)

    def __call__(self, ref: TaskRef) -> Route | None:
        """The route of a call, None when it is not about this task, or has no key, or is outside the percentages.

        Raises:
            KernelError: for a key of a type that is no key; without a key, when rules say so.
        """
        if not self._tasks.have(ref.name):
            return None
        key = self._key(ref)
        if key is None:
            return None
        if self._bounds:
            place = key_hash(key, _CANARY)
            for bound, queue in self._bounds:
                if place < bound:
                    return self._routes[queue]
        return self._routes[self._ring.queue_of(key)] if self._ring is not None else None

    def _key(self, ref: TaskRef) -> bytes | None:
        for path in self._paths:
            value = path.find(ref)
            if value is not None:
                key = key_bytes(value)
                if key is None:
                    raise KernelError(
                        f"Router 'sharded' failed for task {ref.name!r}: {path.text} is a {type(value).__name__}, "
                        "which is no key",
                        cure="A key is a text, bytes, a number, a date or a UUID; give the path to one inside it.",
                    )
                return key
        if self._strict:
            raise KernelError(
                f"Router 'sharded' failed for task {ref.name!r}: the call has no "
                f"{' and no '.join(path.text for path in self._paths)}",
                cure='Give it to the call, or set missing = "fallthrough" to leave such calls to the next router.',
            )
        return None


class _Tasks:
    """The tasks that rules are about."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self._all = names is None
        self._exact = frozenset(names or ())
        self._globs = [Glob(name) for name in names or () if "*" in name]

    def have(self, name: str) -> bool:
        """Whether this is one of them."""
        return self._all or name in self._exact or any(glob.matches(name) for glob in self._globs)


def _bounds(percent: Mapping[str, float]) -> list[tuple[int, str]]:
    """Upper ends of the queues' ranges of hashes; a queue that gets more keeps what it had, if those before it stay."""
    bounds: list[tuple[int, str]] = []
    total = 0.0
    for queue, share in percent.items():
        total += share
        bounds.append((round(total / 100 * SPAN), queue))
    return bounds
