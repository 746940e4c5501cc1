"""A task as a monitor has seen it through events (features.md 2.6)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from kernel.engine.monitoring import task_fields
from kernel.model import states
from kernel.runtime.seen_worker import Worker


class Task:
    """One task; two of equal id are equal.

    Times (``sent``, ``received``, ``started``, ``succeeded``, ``failed``, ``retried``, ``revoked``, ``rejected``,
    ``timestamp`` of the last of them) are Unix times in seconds, None for what has not been heard of. Anything else
    that its events carry becomes an attribute, too.

    Attributes:
        uuid: its id.
        cluster_state: the state it belongs to, where its parent and root are looked up.
        client: the name of the process that sent it, from ``task-sent``.
        worker: the node that took it.
        clock: the logical clock of its last event.
    """

    fields: ClassVar = (
        "uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked",
        "args", "kwargs", "eta", "expires", "retries", "worker", "result", "exception", "timestamp", "runtime",
        "traceback", "exchange", "routing_key", "clock", "client", "root_id", "parent_id",
    )  # fmt: skip
    shown: ClassVar = (
        "args", "kwargs", "retries", "result", "eta", "runtime", "expires", "exception", "exchange", "routing_key",
        "root_id", "parent_id",
    )  # fmt: skip
    """What :meth:`info` tells unless it is asked for something else."""

    uuid: str
    name: str | None = None
    state: str = states.PENDING
    timestamp: float | None = None
    clock: int = 0
    worker: Worker | None = None
    client: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    sent = received = started = succeeded = failed = retried = revoked = rejected = None
    args = kwargs = eta = expires = retries = result = exception = runtime = traceback = None
    exchange = routing_key = None

    def __init__(self, uuid: str, cluster_state: Any = None, **fields: Any) -> None:
        self.uuid = uuid
        self.cluster_state = cluster_state
        self.__dict__.update(fields)

    def event(
        self,
        type_: str,
        timestamp: float | None = None,
        local_received: float | None = None,  # noqa: ARG002 - handlers of both kinds are called alike
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in an event; one that comes late changes no state.

        Args:
            type_: the second part of the event's type.
            timestamp: when it happened.
            local_received: when it was heard.
            fields: what it carries.
        """
        self.__dict__.update(task_fields(self.state, type_, timestamp, fields or {}))

    def info(self, fields: Sequence[str] | None = None, extra: Sequence[str] = ()) -> dict[str, Any]:
        """What is known among ``fields``, which are those of :attr:`shown` unless given, and ``extra``."""
        wanted = [*(self.shown if fields is None else fields), *extra]
        return {name: value for name in wanted if (value := getattr(self, name, None)) is not None}

    def as_dict(self) -> dict[str, Any]:
        """Its fields, with ids for its parent, root and children."""
        found = {name: getattr(self, name) for name in self.fields}
        return found | {
            "parent": self.parent_id,
            "root": self.root_id,
            "children": [each.uuid for each in self.children],
        }

    @property
    def id(self) -> str:
        """Its id."""
        return self.uuid

    @property
    def ready(self) -> bool:
        """Whether it has ended."""
        return self.state in states.READY_STATES

    @property
    def origin(self) -> str | None:
        """Who told of it: its worker, else the client that sent it."""
        return self.client if self.worker is None else self.worker.id

    @property
    def parent(self) -> "Task | None":
        """The task that called it, when the state still knows it."""
        return self._other(self.parent_id)

    @property
    def root(self) -> "Task | None":
        """The first task of its workflow, when the state still knows it."""
        return self._other(self.root_id)

    @property
    def children(self) -> "set[Task]":
        """The tasks it called, as far as the state knows them."""
        return set() if self.cluster_state is None else set(self.cluster_state.tasks_by_parent[self.uuid])

    def _other(self, uuid: str | None) -> "Task | None":
        if uuid is None or self.cluster_state is None:
            return None
        found: Task | None = self.cluster_state.tasks.get(uuid)
        return found

    def __eq__(self, other: object) -> bool:
        return self.uuid == other.uuid if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.uuid)

    def __repr__(self) -> str:
        return f"<Task: {self.name}({self.uuid}) {self.state} clock:{self.clock}>"
