"""The results of a group, in order (features.md 2.1)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Any

from kernel.app.blocking import forbid_blocking
from kernel.app.bridge import in_thread
from kernel.app.current import app_or_default
from kernel.app.ports import App, Meta
from kernel.app.result import FORMS, AsyncResult, result_from_tuple
from kernel.app.revoke import revoke
from kernel.errors import IncompleteStream
from kernel.errors import TimeoutError as TaskTimeoutError
from kernel.model import states

Result = AsyncResult[Any]


class GroupResult:
    """The results of a group's members; a member may be a group itself.

    Args:
        id: the group id.
        results: one per member, in the order of the group.
        app: the application; None is the current one.
        parent: the result of the step before, when the group ends a chain.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the documented name
        results: "Sequence[Result | GroupResult]",
        app: App | None = None,
        parent: Any = None,
    ) -> None:
        self.id = id
        self.results = list(results)
        self.app: App = app_or_default(app)
        self.parent = parent

    @property
    def children(self) -> "list[Result | GroupResult]":
        """The same as ``results``."""
        return self.results

    # State

    def ready(self) -> bool:
        """Whether all members finished."""
        return all(meta.status in states.READY_STATES for meta in self._metas())

    def successful(self) -> bool:
        """Whether all members returned."""
        return all(meta.status == states.SUCCESS for meta in self._metas())

    def failed(self) -> bool:
        """Whether any member raised."""
        return any(meta.status == states.FAILURE for meta in self._metas())

    def waiting(self) -> bool:
        """Whether any member has not finished."""
        return not self.ready()

    def completed_count(self) -> int:
        """How many members returned."""
        return sum(meta.status == states.SUCCESS for meta in self._metas())

    def forget(self) -> None:
        """Remove the stored results of all members."""
        self.app.client.results.forget([leaf.id for leaf in self.leaves()])

    revoke = revoke

    def maybe_throw(self, propagate: bool = True) -> None:
        """Raise the exception of a member that failed, if any."""
        for meta, leaf in zip(self._metas(), self.leaves(), strict=True):
            if meta.status in states.PROPAGATE_STATES:
                leaf.maybe_throw(propagate)

    maybe_reraise = maybe_throw

    @property
    def supports_native_join(self) -> bool:
        """True: any backend is asked for all members at once."""
        return True

    # The members

    def add(self, result: "Result | GroupResult") -> None:
        """Add a member, unless it is there."""
        if result not in self.results:
            self.results.append(result)

    def discard(self, result: "Result | GroupResult | str") -> None:
        """Take a member out, given itself or its id, if it is there."""
        self.results = [each for each in self.results if result not in {each, each.id}]

    def update(self, results: "Iterable[Result | GroupResult]") -> None:
        """Add members, each unless it is there."""
        for result in results:
            self.add(result)

    def clear(self) -> None:
        """Take all members out."""
        self.results = []

    def remove(self, result: "Result | GroupResult | str") -> None:
        """Take a member out, given itself or its id.

        Raises:
            KeyError: when it is not there.
        """
        there = len(self.results)
        self.discard(result)
        if len(self.results) == there:
            raise KeyError(result)

    # Waiting

    def get(  # noqa: PLR0913 - the documented parameters (features.md 1.3)
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callable[[str, Any], Any] | None = None,
        on_message: Callable[[dict[str, Any]], Any] | None = None,
        on_interval: Callable[[], Any] | None = None,
        disable_sync_subtasks: bool = True,
        **others: Any,
    ) -> list[Any]:
        """Wait for all members and return their values in the order of the group.

        Args:
            timeout: seconds for all together; None waits for ever.
            propagate: raise the exception of a failed member, as soon as it is seen; False puts it into the list.
            interval: seconds between two looks for failed members, and between calls of ``on_interval``.
            callback: called with the id and the value of each member.
            on_message: called with every state of every member.
            on_interval: called again and again while waiting.
            disable_sync_subtasks: refuse to wait inside a task.
            others: ``no_ack`` and ``follow_parents``, as in :meth:`AsyncResult.get`.

        Raises:
            TimeoutError: when the time is over.
            RuntimeError: inside a task.
        """
        if disable_sync_subtasks:
            forbid_blocking()
        end = None if timeout is None else monotonic() + timeout
        if on_message is None:
            self._wait(end, interval, propagate, on_interval)
        values = []
        for result in self.results:
            left = None if end is None else max(0.0, end - monotonic())
            waiting: dict[str, Any] = {
                "interval": interval,
                "on_message": on_message,
                "disable_sync_subtasks": disable_sync_subtasks,
            }
            value = result.get(left, propagate, **waiting, **others)
            if callback is not None:
                callback(result.id, value)
            values.append(value)
        return values

    join = get
    join_native = get

    async def aget(self, timeout: float | None = None, propagate: bool = True) -> list[Any]:  # noqa: ASYNC109 - as in get()
        """:meth:`get` for asyncio."""
        return await in_thread(self.get, timeout, propagate)

    def iterate(self, timeout: float | None = None, propagate: bool = True) -> Iterator[Any]:
        """Values of the members in the order in which they finish; ``timeout`` is for all together.

        Raises:
            TimeoutError: when the time is over.
        """
        forbid_blocking()
        end = None if timeout is None else monotonic() + timeout
        waiting = {leaf.id: leaf for leaf in self.leaves()}
        while waiting:
            for meta in self._ready(list(waiting), 1, end):
                leaf = waiting.pop(meta.task_id)
                leaf.learn(meta)
                yield leaf.maybe_throw(propagate)

    def iter_native(self, timeout: float | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and state of the members in the order in which they finish."""
        end = None if timeout is None else monotonic() + timeout
        waiting = [leaf.id for leaf in self.leaves()]
        while waiting:
            for meta in self._ready(waiting, 1, end):
                waiting.remove(meta.task_id)
                yield meta.task_id, meta.to_dict()

    def _wait(self, end: float | None, interval: float, propagate: bool, on_interval: Callable[[], Any] | None) -> None:
        leaves = {leaf.id: leaf for leaf in self.leaves() if not leaf.ignored and leaf.known is None}
        pause = interval if propagate or on_interval is not None else 60.0
        while leaves:
            soon = monotonic() + pause
            until = soon if end is None else min(soon, end)
            for meta in self.app.client.results.wait(list(leaves), len(leaves), _left(until)):
                leaf = leaves.pop(meta.task_id)
                leaf.learn(meta)
                leaf.maybe_throw(propagate)
            if leaves and end is not None and monotonic() >= end:
                raise TaskTimeoutError(f"{len(leaves)} of the tasks of group {self.id} did not finish in time")
            if leaves and on_interval is not None:
                on_interval()

    def _ready(self, ids: list[str], need: int, end: float | None) -> Sequence[Meta]:
        ready = self.app.client.results.wait(ids, need, 60.0 if end is None else _left(end))
        if not ready and end is not None and monotonic() >= end:
            raise TaskTimeoutError(f"{len(ids)} of the tasks of group {self.id} did not finish in time")
        return ready

    def leaves(self) -> Iterator[Result]:
        """The results of single tasks, those of nested groups included."""
        for result in self.results:
            if isinstance(result, GroupResult):
                yield from result.leaves()
            else:
                yield result

    def _metas(self) -> list[Meta]:
        leaves = list(self.leaves())
        unknown = [leaf.id for leaf in leaves if leaf.known is None]
        fetched = dict(zip(unknown, self.app.client.results.fetch(unknown), strict=True)) if unknown else {}
        return [leaf.known or leaf.learn(fetched[leaf.id]) for leaf in leaves]

    # Storing the group itself

    def as_tuple(self) -> Any:
        """``[[id, parent], members]``: the form in which results travel (wire.md 3)."""
        parent = self.parent.as_tuple() if self.parent is not None else None
        return [[self.id, parent], [result.as_tuple() for result in self.results]]

    def save(self) -> None:
        """Store which results belong to the group, so that :meth:`restore` finds them by its id."""
        self.app.client.results.save_group(self.id, self.as_tuple())

    @classmethod
    def restore(cls, id: str, app: App | None = None) -> "GroupResult | None":  # noqa: A002 - the documented name
        """The group saved under that id, or None."""
        application: App = app_or_default(app)
        structure = application.client.results.saved_group(id)
        return None if structure is None else group_from_tuple(structure, application)

    def delete(self) -> None:
        """Remove what :meth:`save` stored; the members' results stay."""
        self.app.client.results.forget_group(self.id)

    def __getitem__(self, index: int) -> "Result | GroupResult":
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> "Iterator[Result | GroupResult]":
        return iter(self.results)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GroupResult):
            return self.id == other.id and self.results == other.results
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<GroupResult: {self.id} [{', '.join(result.id for result in self.results)}]>"


def _left(end: float) -> float:
    return max(0.0, end - monotonic())


def group_from_tuple(value: Any, app: App) -> GroupResult:
    """A group from the form in which results travel.

    Raises:
        IncompleteStream: for a value of another form.
    """
    try:
        (group_id, parent), members = value
        results = [result_from_tuple(each, app) for each in members]
        return GroupResult(group_id, results, app, result_from_tuple(parent, app) if parent else None)
    except (TypeError, ValueError, IndexError) as error:
        raise IncompleteStream(f"A stored group has the wrong form: {value!r:.200}") from error


FORMS["group"] = group_from_tuple
