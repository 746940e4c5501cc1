"""What a monitor has seen of a cluster: the last workers and tasks, built from events (features.md 2.6)."""

import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from kernel.engine.monitoring import readable, split_type
from kernel.runtime.seen_task import Task
from kernel.runtime.seen_worker import Worker

K = TypeVar("K")
V = TypeVar("V")

Callback = Callable[["State", Mapping[str, Any]], object]
WorkerCallback = Callable[[Worker], object]

_OF_WORKERS = frozenset(name for name, value in vars(Worker).items() if callable(value))
_OF_TASKS = frozenset(name for name, value in vars(Task).items() if callable(value))
"""Methods: a field of that name is nothing of theirs."""


class Recent(OrderedDict[K, V], Generic[K, V]):
    """The last entries added; when there are more than ``limit`` the oldest goes, and ``gone`` is told."""

    def __init__(self, limit: int, gone: Callable[[V], object] | None = None) -> None:
        super().__init__()
        self.limit = limit
        self._gone = gone

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > self.limit:
            _, oldest = self.popitem(last=False)
            if self._gone is not None:
                self._gone(oldest)


class Index(dict[str, set[Task]]):
    """Sets of tasks by a key; an unknown key is an empty set. Called, it gives them in the order of time.

    ``index(key, limit=None, reverse=True)`` is a list of pairs of id and task, the newest first.
    """

    def __missing__(self, key: str) -> set[Task]:
        return set()

    def __call__(self, key: str, limit: int | None = None, reverse: bool = True) -> list[tuple[str, Task]]:
        return in_time(self[key], limit, newest_first=reverse)

    def put(self, key: str | None, task: Task) -> None:
        """Add one."""
        if key is not None:
            self.setdefault(key, set()).add(task)

    def drop(self, key: str | None, task: Task) -> None:
        """Take one out; a set that is empty then goes, too."""
        there = self.get(key) if key is not None else None
        if key is not None and there is not None:
            there.discard(task)
            if not there:
                del self[key]


class State:
    """Workers and tasks by what their events told. Safe in any thread; give :meth:`event` to a receiver.

    Args:
        callback: called with the state and every event, before it is taken in.
        max_workers_in_memory: of more, the one first heard of is forgotten.
        max_tasks_in_memory: of more, the one first heard of is forgotten.
        on_node_join: called with a worker that is new or says that it is there.
        on_node_leave: called with a worker that says that it goes.

    Attributes:
        workers: by hostname; one that says goodbye is taken out, one that falls silent stays and is not ``alive``.
        tasks: by id, in the order in which they were first heard of.
        tasks_by_type: sets of tasks by name; see :class:`Index`.
        tasks_by_worker: sets of tasks by hostname; see :class:`Index`.
        tasks_by_parent: sets of tasks by the id of the task that called them; see :class:`Index`.
        event_count: events taken in since the state was cleared.
        task_count: tasks among them.
    """

    def __init__(
        self,
        callback: Callback | None = None,
        *,
        max_workers_in_memory: int = 5_000,
        max_tasks_in_memory: int = 10_000,
        on_node_join: WorkerCallback | None = None,
        on_node_leave: WorkerCallback | None = None,
    ) -> None:
        self.event_callback = callback
        self.on_node_join = on_node_join
        self.on_node_leave = on_node_leave
        self.max_workers_in_memory = max_workers_in_memory
        self.max_tasks_in_memory = max_tasks_in_memory
        self.workers: Recent[str, Worker] = Recent(max_workers_in_memory)
        self.tasks: Recent[str, Task] = Recent(max_tasks_in_memory, self._forget)
        self.tasks_by_type = Index()
        self.tasks_by_worker = Index()
        self.tasks_by_parent = Index()
        self.event_count = 0
        self.task_count = 0
        self._seen_types: set[str] = set()
        self._lock = threading.RLock()

    def event(self, event: Mapping[str, Any]) -> tuple[tuple[Worker | Task, bool] | None, str]:
        """Take in an event as a receiver hands it over.

        Returns:
            The worker or task it tells of with whether that is new, and the second part of its type; None in place of
            the pair for an event of another group, or one that lacks its host's name or the task's id.
        """
        group, subject = split_type(str(event["type"]))
        with self._lock:
            self.event_count += 1
            if self.event_callback is not None:
                self.event_callback(self, event)
            told: tuple[Worker | Task, bool] | None = None
            if group == "worker" and (fields := readable(event, _OF_WORKERS)).get("hostname"):
                told = self._worker_event(subject, fields)
            elif group == "task" and (fields := readable(event, _OF_TASKS)).get("uuid"):
                told = self._task_event(subject, fields)
            return told, subject

    def freeze_while(self, fun: Callable[..., Any], *args: Any, clear_after: bool = False, **kwargs: Any) -> Any:
        """What ``fun`` returns, called while no event is taken in; afterwards the state is cleared if asked for."""
        with self._lock:
            try:
                return fun(*args, **kwargs)
            finally:
                if clear_after:
                    self.clear()

    def clear_tasks(self, ready: bool = True) -> None:
        """Forget tasks: all of them, or with ``ready`` False only those that have ended."""
        with self._lock:
            kept = [] if ready else [task for task in self.tasks.values() if not task.ready]
            self.tasks.clear()
            self.tasks_by_type.clear()
            self.tasks_by_worker.clear()
            self.tasks_by_parent.clear()
            for task in kept:
                self._index(task)
                self.tasks[task.uuid] = task

    def clear(self, ready: bool = True) -> None:
        """Forget workers, and tasks as :meth:`clear_tasks` does; counters begin at 0."""
        with self._lock:
            self.workers.clear()
            self.clear_tasks(ready)
            self.event_count = self.task_count = 0

    def get_or_create_worker(self, hostname: str, **fields: Any) -> tuple[Worker, bool]:
        """A worker, with ``fields`` set on it, and whether it is new."""
        with self._lock:
            worker = self.workers.get(hostname)
            if worker is not None:
                worker.update(fields)
                return worker, False
            worker = self.workers[hostname] = Worker(hostname, **fields)
            return worker, True

    def get_or_create_task(self, uuid: str) -> tuple[Task, bool]:
        """A task, and whether it is new."""
        with self._lock:
            task = self.tasks.get(uuid)
            if task is not None:
                return task, False
            task = self.tasks[uuid] = Task(uuid, cluster_state=self)
            self.task_count += 1
            return task, True

    def itertasks(self, limit: int | None = None) -> Iterator[tuple[str, Task]]:
        """Pairs of id and task in the order in which they were first heard of."""
        with self._lock:
            found = list(self.tasks.items())
        yield from found[:limit]

    def tasks_by_time(self, limit: int | None = None, reverse: bool = True) -> Iterator[tuple[str, Task]]:
        """Pairs of id and task by the time of their last event, the newest first; ``reverse`` False turns it round.

        Of equal times the logical clocks decide. The clocks of machines may differ a little, and so may the order.
        """
        with self._lock:
            found = list(self.tasks.values())
        yield from in_time(found, limit, newest_first=reverse)

    tasks_by_timestamp = tasks_by_time

    def task_types(self) -> list[str]:
        """The names of the tasks seen, sorted."""
        return sorted(self._seen_types)

    def alive_workers(self) -> Iterator[Worker]:
        """The workers heard of lately."""
        with self._lock:
            found = list(self.workers.values())
        return (worker for worker in found if worker.alive)

    def _worker_event(self, subject: str, event: Mapping[str, Any]) -> tuple[Worker, bool]:
        hostname = event["hostname"]
        if subject == "offline":
            worker, created = self.workers.pop(hostname, None) or Worker(hostname), False
        else:
            worker, created = self.get_or_create_worker(hostname)
        worker.event(subject, event.get("timestamp"), event.get("local_received"), event)
        if self.on_node_join is not None and (created or subject == "online"):
            self.on_node_join(worker)
        if self.on_node_leave is not None and subject == "offline":
            self.on_node_leave(worker)
        return worker, created

    def _task_event(self, subject: str, event: Mapping[str, Any]) -> tuple[Task, bool]:
        task, created = self.get_or_create_task(event["uuid"])
        hostname, timestamp, heard = event.get("hostname"), event.get("timestamp"), event.get("local_received")
        self._forget(task)
        if subject == "sent":
            task.client = hostname
        elif hostname:
            task.worker, _ = self.get_or_create_worker(hostname)
            task.worker.event(None, timestamp, heard, {"pid": event["pid"]} if "pid" in event else None)
        task.event(subject, timestamp, heard, event)
        self._index(task)
        return task, created

    def _index(self, task: Task) -> None:
        if task.name is not None:
            self._seen_types.add(task.name)
        self.tasks_by_type.put(task.name, task)
        self.tasks_by_worker.put(task.worker.hostname if task.worker is not None else None, task)
        self.tasks_by_parent.put(task.parent_id, task)

    def _forget(self, task: Task) -> None:
        """Take a task out of the indexes."""
        self.tasks_by_type.drop(task.name, task)
        self.tasks_by_worker.drop(task.worker.hostname if task.worker is not None else None, task)
        self.tasks_by_parent.drop(task.parent_id, task)

    def __repr__(self) -> str:
        return f"<State: events={self.event_count} tasks={self.task_count}>"


def in_time(tasks: "set[Task] | list[Task]", limit: int | None, *, newest_first: bool) -> list[tuple[str, Task]]:
    """Pairs of id and task by the time of their last event."""
    if limit is None:
        found = sorted(tasks, key=_when, reverse=newest_first)
    else:
        found = (heapq.nlargest if newest_first else heapq.nsmallest)(limit, tasks, key=_when)
    return [(task.uuid, task) for task in found]


def _when(task: Task) -> tuple[float, int, str]:
    return task.timestamp or 0.0, task.clock or 0, task.uuid
