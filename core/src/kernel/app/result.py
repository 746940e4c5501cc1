"""The result of one task: its state, its value, and waiting for it (features.md 1.3)."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Generic, TypeVar, cast

from kernel.app.blocking import forbid_blocking
from kernel.app.bridge import in_thread
from kernel.app.current import app_or_default
from kernel.app.ports import App, Meta
from kernel.app.result_graph import DependencyGraph, build_graph, collect, iterdeps
from kernel.app.result_names import FurtherNames
from kernel.app.result_time import FOREVER_S, GLIMPSE_S, LOOK_S, check_time, left
from kernel.app.revoke import revoke, revoke_by_stamped_headers, terminate
from kernel.errors import BackendError, ImproperlyConfigured, IncompleteStream
from kernel.model import states

R = TypeVar("R")

FORMS: dict[str, Callable[[Any, App], Any]] = {}
"""How a group is made of its result tuple; :mod:`kernel.app.group_result` says so."""


def _stored(field: str, doc: str) -> Any:
    """A property that reads a field of the stored state."""
    return property(lambda result: getattr(result.meta(), field), doc=doc)


class AsyncResult(FurtherNames, Generic[R]):
    """The result of a task, by id. Holds no connection and may be made anywhere.

    Args:
        id: the task id.
        app: the application whose result backend is asked; None is the current one.
        parent: the result of the step before it: of a task in a chain, of the header for the body of a chord.
        ignored: the task stores no result, as far as the caller knows; nothing is waited for then.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the documented name
        app: App | None = None,
        *,
        parent: Any = None,
        ignored: bool = False,
    ) -> None:
        if not isinstance(id, str) or not id:
            raise ValueError(f"AsyncResult needs a task id, a non-empty text, not {id!r}")
        self.id = id
        self.app: App = app_or_default(app)
        self.parent = parent
        self.ignored = ignored
        self.known: Meta | None = None

    # State

    @property
    def state(self) -> str:
        """PENDING while nothing is known, else the last state stored (features.md 1.4)."""
        return self.meta().status

    status = state

    @property
    def result(self) -> Any:
        """The return value, the exception of a failed task, or the ``meta`` of a custom state."""
        return self.meta().result

    info = result

    @property
    def traceback(self) -> str | None:
        """The text of the traceback of a failed task."""
        return self.meta().traceback

    date_done = _stored("date_done", "When it became ready, ISO 8601.")
    name = _stored("name", "The task's name, with ``result_extended``; so are the following.")
    args = _stored("args", "Its positional arguments.")
    kwargs = _stored("kwargs", "Its keyword arguments.")
    worker = _stored("worker", "The node that ran it.")
    retries = _stored("retries", "How often it was retried.")
    queue = _stored("queue", "The queue it came from.")

    @property
    def children(self) -> list[Any] | None:
        """Results of the tasks, and groups, that this one called or that followed it; None without any."""
        found = self.meta().children
        return [result_from_tuple(child, self.app) for child in found] if found else None

    def exists(self) -> bool:
        """Whether anything is stored of it: tells a task that is unknown, or forgotten, or expired from one on its way.

        A task that waits in a queue has nothing stored either, unless a state was stored for it.
        """
        return self.known is not None or self.app.client.results.exists(self.id)

    def ready(self) -> bool:
        """Whether it has finished, in whatever way."""
        return self.state in states.READY_STATES

    def successful(self) -> bool:
        """Whether it finished and returned."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """Whether it finished and raised."""
        return self.state == states.FAILURE

    def forget(self) -> None:
        """Remove the stored result, and those of the steps of a chain before it."""
        self.known = None
        if self.parent is not None:
            self.parent.forget()
        self.app.client.results.forget([self.id])

    revoke = revoke
    terminate = terminate
    revoke_by_stamped_headers = revoke_by_stamped_headers

    # Waiting

    def get(  # noqa: PLR0913 - the documented parameters (features.md 1.3)
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,  # noqa: ARG002 - of use to rpc:// only, and accepted from callers that pass it everywhere
        follow_parents: bool = True,
        callback: Callable[[str, Any], Any] | None = None,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        on_interval: Callable[[], Any] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> R:
        """Wait for the task and return what it returned.

        Args:
            timeout: seconds; None waits for ever.
            propagate: raise the task's exception; False returns it.
            interval: seconds between calls of ``on_interval``.
            no_ack: for brokers that carry results; has no effect with others.
            follow_parents: raise the exception of an earlier step of the chain.
            callback: called with the id and the value at the end; its result is returned if it is not None.
            on_message: called with every state of the task (features.md 1.5).
            on_interval: called again and again while waiting.
            disable_sync_subtasks: refuse to wait inside a task, unless ``allow_join_result`` allows it.

        Raises:
            TimeoutError: :class:`kernel.exceptions.TimeoutError`, when the time is over.
            RuntimeError: inside a task.
            NotImplementedError: when no result backend is configured.
            ImproperlyConfigured: for ``on_message`` with a backend that cannot follow states.
        """
        if self.ignored:
            return cast(R, None)
        if disable_sync_subtasks:
            forbid_blocking()
        end = None if timeout is None else monotonic() + timeout
        if self.known is None:
            if on_message is not None:
                self._watch(end, on_message)
            else:
                self._wait(end, interval, on_interval, follow_parents and propagate)
        if self.known is None and follow_parents and propagate:  # a step before it failed
            self._raise_for_parents()
        value = self.maybe_throw(propagate)
        answer = callback(self.id, value) if callback is not None else None
        return cast(R, value if answer is None else answer)

    wait = get

    async def aget(self, timeout: float | None = None, propagate: bool = True) -> R:  # noqa: ASYNC109 - as in get()
        """For asyncio."""
        return await in_thread(self.get, timeout, propagate)

    def maybe_throw(self, propagate: bool = True) -> Any:
        """The result; raises it when it is an exception of a failed task and ``propagate`` is true."""
        meta = self.meta()
        if propagate and meta.status in states.PROPAGATE_STATES:
            error = meta.result
            raise error if isinstance(error, BaseException) else RuntimeError(f"Task {self.id} failed: {error!r}")
        return meta.result

    maybe_reraise = maybe_throw

    def collect(self, intermediate: bool = False, **waiting: Any) -> Iterator[tuple[Any, Any]]:
        """Every result of the tree that this task started, with its value; waits for each unless ``intermediate``."""
        return collect(self, intermediate, waiting)

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """Parent and result, for each of that tree. See :func:`kernel.app.result_graph.iterdeps`."""
        return iterdeps(self, intermediate)

    def get_leaf(self) -> Any:
        """The value of the last result of that tree; waits for all."""
        return list(self.collect())[-1][1]

    def build_graph(self, intermediate: bool = False) -> DependencyGraph:
        """That tree as a graph; with ``intermediate`` as far as it is known."""
        return build_graph(self, intermediate)

    graph = property(build_graph, doc="That tree, which must be ready, as a graph.")

    def as_tuple(self) -> Any:
        """``[[id, parent], None]``: the form in which results travel (wire.md 3)."""
        return [[self.id, self.parent.as_tuple() if self.parent is not None else None], None]

    def meta(self) -> Meta:
        """Everything stored of the task; asked again until it is ready."""
        if self.known is not None:
            return self.known
        (meta,) = self.app.client.results.fetch([self.id])
        return self.learn(meta)

    def learn(self, meta: Meta) -> Meta:
        """Keep a state read elsewhere, if it is final."""
        if meta.status in states.READY_STATES:
            self.known = meta
        return meta

    def _wait(self, end: float | None, interval: float, on_interval: Callable[[], Any] | None, follow: bool) -> None:
        results = self.app.client.results
        ids = [self.id]
        if follow:
            ids += [parent.id for parent in self._parents() if isinstance(parent, AsyncResult)]
        while True:
            pause = left(end, interval if on_interval is not None or len(ids) > 1 else FOREVER_S)
            for meta in results.wait(ids[:1], 1, pause):
                self.learn(meta)
            if self.known is not None or (follow and self._a_parent_failed(end)):
                return
            check_time(results, self.id, end)
            if on_interval is not None:
                on_interval()

    def _watch(self, end: float | None, on_message: Callable[[dict[str, Any]], Any]) -> None:
        results = self.app.client.results
        if not results.can_watch:
            raise ImproperlyConfigured(
                "Backend does not support on_message callback",
                cure="Use a result backend that tells of changes, or read result.state from time to time.",
            )
        while self.known is None:
            for meta in results.watch(self.id, left(end, FOREVER_S)):
                on_message(self.learn(meta).to_dict())
            if self.known is None:
                check_time(results, self.id, end)

    def _parents(self) -> Iterator[Any]:
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def _a_parent_failed(self, end: float | None) -> bool:
        """Whether a step before it failed, so that it can never run; each keeps what was read of it."""
        parents = [parent for parent in self._parents() if isinstance(parent, AsyncResult)]  # groups tell by the body
        if not parents:
            return False
        try:
            metas = self.app.client.results.fetch([parent.id for parent in parents], max(GLIMPSE_S, left(end, LOOK_S)))
        except BackendError:  # no answer tells nothing: the wait goes on until its own end
            return False
        return any(
            parent.learn(meta).status in states.PROPAGATE_STATES for parent, meta in zip(parents, metas, strict=True)
        )

    def _raise_for_parents(self) -> None:
        for parent in self._parents():
            parent.maybe_throw()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncResult):
            return self.id == other.id
        return self.id == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"


def result_from_tuple(value: Any, app: App) -> Any:
    """A result, of a task or a group, from the form in which it travels.

    Raises:
        IncompleteStream: for a value of another form.
    """
    try:
        (task_id, parent), members = value
        if members is not None:
            return FORMS["group"](value, app)
        return AsyncResult(task_id, app, parent=result_from_tuple(parent, app) if parent else None)
    except (TypeError, ValueError) as error:
        raise IncompleteStream(f"A stored result has the wrong form: {value!r:.200}") from error
