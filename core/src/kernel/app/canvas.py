"""Groups and chains of signatures (features.md 1.26, 2.1; wire.md 3)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from kernel.app.group_result import GroupResult
from kernel.app.result import AsyncResult
from kernel.app.signature import KINDS, AnyResult, Signature, Started, signature
from kernel.app.task_ids import new_id
from kernel.model.call import Call
from kernel.model.signature import plain


class chain(Signature[Any]):  # noqa: N801 - the documented name
    """Signatures one after the other, each with the result of the one before as its first argument.

    ``chain(a, b)``, ``chain([a, b])`` and ``a | b`` are the same; nested chains flatten, and empty ones vanish. A group
    may be the last step.
    """

    def __init__(self, *tasks: Any, **options: Any) -> None:
        steps = list(_flat_steps(_members(tasks)))
        for step in steps[:-1]:
            if isinstance(step, group):
                raise _no_chord()
        app = next((step.owner for step in steps if step.owner is not None), None)
        super().__init__("celery.chain", (), {"tasks": steps}, options, app=app, subtask_type="chain")

    @property
    def tasks(self) -> list[Signature[Any]]:
        """The steps."""
        steps: list[Signature[Any]] = self["kwargs"]["tasks"]
        return steps

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Send it: ``chain(a, b)()``."""
        return self.apply_async(args, kwargs)

    def started(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Started:
        """The call of the first step, which carries the others, and the result of the last."""
        steps = [step.clone() for step in self.tasks]
        if not steps:
            raise ValueError("An empty chain cannot be sent: give it at least one signature")
        outer = {**self["options"], **options}
        last = {key: outer.pop(key) for key in ("task_id", "group_id", "group_index", "link") if key in outer}
        for linked in _as_list(last.pop("link", None)):
            steps[-1].link(linked)
        for errback in _as_list(outer.pop("link_error", None)):
            for step in steps:
                step.link_error(errback)
        result = _freeze_steps(steps, last)
        first, *rest = steps
        following = {"chain": [plain(step) for step in reversed(rest)]} if rest else {}
        calls, _ = first.started((*args, *self["args"]), kwargs, {**outer, **following})
        return calls, result

    def freeze(self, task_id: str | None = None, **options: Any) -> AnyResult:
        """Give every step its id now."""
        return _freeze_steps(self.tasks, {**options, **({"task_id": task_id} if task_id else {})})

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy, its steps copied too."""
        new = super().clone(args, None, **options)
        steps = [step.clone() for step in self.tasks]
        if steps and kwargs:
            steps[0] = steps[0].clone(None, kwargs)
        new["kwargs"] = {"tasks": steps}
        return new

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.tasks))


class group(Signature[Any]):  # noqa: N801 - the documented name
    """Signatures that run side by side; sent with one publish. Its result is a :class:`GroupResult` in their order.

    ``group(a, b)``, ``group([a, b])`` and ``group(add.s(i, i) for i in range(10))`` are the same.
    """

    def __init__(self, *tasks: Any, **options: Any) -> None:
        members = _members(tasks)
        app = next((member.owner for member in members if member.owner is not None), None)
        super().__init__("celery.group", (), {"tasks": members}, options, app=app, subtask_type="group")

    @property
    def tasks(self) -> list[Signature[Any]]:
        """The members."""
        members: list[Signature[Any]] = self["kwargs"]["tasks"]
        return members

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Send it: ``group(a, b)()``; arguments go before those of every member."""
        return self.apply_async(args, None, **options)

    def started(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Started:
        """The calls of all members, and the results in their order."""
        outer = {**self["options"], **options}
        group_id = outer.pop("task_id", None) or new_id()
        outer.pop("group_index", None)
        outer["group_id"] = group_id
        calls: list[Call] = []
        results: list[AnyResult] = []
        for index, member in enumerate(self.tasks):
            started, result = member.started((*args, *self["args"]), kwargs, {**outer, "group_index": index})
            calls += started
            results.append(result)
        return calls, GroupResult(group_id, results, self.app)

    def freeze(self, task_id: str | None = None, **options: Any) -> AnyResult:
        """Give every member its id now."""
        group_id = self["options"].setdefault("task_id", task_id or new_id())
        options.pop("group_index", None)
        results = [
            member.freeze(**{**options, "group_id": group_id, "group_index": index})
            for index, member in enumerate(self.tasks)
        ]
        return GroupResult(group_id, results, self.app)

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy, its members copied too."""
        new = super().clone(args, None, **options)
        new["kwargs"] = {"tasks": [member.clone(None, kwargs) for member in self.tasks]}
        return new

    def link(self, callback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``callback`` after each member."""
        for member in self.tasks:
            member.link(callback)
        return callback

    def link_error(self, errback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``errback`` after each member that fails."""
        for member in self.tasks:
            member.link_error(errback)
        return errback

    def __or__(self, other: Any) -> Any:
        """A group followed by a task is a chord."""
        return NotImplemented if not isinstance(other, Signature) else _raise(_no_chord())

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"group({self.tasks!r})"


KINDS.update(chain=chain, group=group)


def _members(tasks: tuple[Any, ...]) -> list[Signature[Any]]:
    """The signatures given one by one, as a list, or by a generator."""
    if len(tasks) == 1 and not isinstance(tasks[0], Mapping) and isinstance(tasks[0], Iterable):
        tasks = tuple(tasks[0])
    elif len(tasks) == 1 and isinstance(tasks[0], group):
        tasks = tuple(tasks[0].tasks)
    return [_member(task) for task in tasks]


def _member(task: Any) -> Signature[Any]:
    if isinstance(task, Signature):
        return task
    if isinstance(task, Mapping):
        return signature(task)
    raise TypeError(f"A canvas is built of signatures such as add.s(2, 2), not {task!r:.80}")


def _flat_steps(steps: Iterable[Signature[Any]]) -> Iterable[Signature[Any]]:
    for step in steps:
        if isinstance(step, chain):
            yield from step.tasks
        elif not (isinstance(step, group) and not step.tasks):
            yield step


def _freeze_steps(steps: Sequence[Signature[Any]], last: Mapping[str, Any]) -> AnyResult:
    """Ids for all steps; the result of the last one, with the others as its parents."""
    parent: AsyncResult[Any] | None = None
    result: AnyResult | None = None
    for step in steps:
        result = step.freeze(**(last if step is steps[-1] else {}))
        result.parent = parent
        parent = result if isinstance(result, AsyncResult) else None
    assert result is not None, "a chain has at least one step"
    return result


def _as_list(value: Any) -> list[Any]:
    if not value:
        return []
    return [value] if isinstance(value, Mapping) else list(value)


def _no_chord() -> NotImplementedError:
    return NotImplementedError(
        "A group followed by a task is a chord, which this version of kernel does not have: collect the group's "
        "results with GroupResult.get(), or let a callback of each member do its part"
    )


def _raise(error: Exception) -> Any:
    raise error
