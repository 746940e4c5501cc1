"""What chains, groups and chords have in common (features.md 2.1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kernel.app.canvas_results import result_of
from kernel.app.ports import App
from kernel.app.signature import AnyResult, Signature, Started, maybe_signature, signature
from kernel.app.task_ids import new_id
from kernel.engine.launch import Launch
from kernel.model.canvas import freeze
from kernel.model.nodes import as_list

_SENDERS = ("producer", "publisher", "connection", "add_to_parent")


class Canvas(Signature[Any]):
    """What chains, groups and chords have in common: they are sent as the calls of their parts."""

    def started(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Started:
        """The calls to send now, the chords to announce, and the results."""
        node: Any = self.clone((), kwargs)
        given = {key: value for key, value in options.items() if key not in _SENDERS}
        for key in ("link", "link_error"):
            for linked in as_list(given.pop(key, None)):
                getattr(node, key)(linked)
        node["options"].update(given)
        freeze(node, new_id)
        launch = Launch(self.call_of)
        launch.start(node, tuple(args))
        return Started(launch.calls, launch.joins, result_of(node, self.app))

    def freeze(self, task_id: str | None = None, **options: Any) -> AnyResult:
        """Give every part its id now, and return the result it will have when it is sent."""
        self["options"].update(options)
        node: Any = self
        freeze(node, new_id, task_id)
        result: AnyResult = result_of(node, self.app)
        return result

    @property
    def tasks(self) -> list[Signature[Any]]:
        """The parts."""
        parts: list[Signature[Any]] = self["kwargs"]["tasks"]
        return parts

    @classmethod
    def parts_of(cls, kwargs: Mapping[str, Any], app: App | None) -> dict[str, Any]:
        """See :meth:`Signature.parts_of`."""
        return {**kwargs, "tasks": [maybe_signature(each, app) for each in kwargs.get("tasks", ())]}

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True


def members_of(tasks: tuple[Any, ...]) -> list[Signature[Any]]:
    """The signatures given one by one, as a list, or by a generator; one that is there twice is copied."""
    if len(tasks) == 1 and not isinstance(tasks[0], Mapping) and isinstance(tasks[0], Iterable):
        tasks = tuple(tasks[0])
    found: dict[int, Signature[Any]] = {}
    members = []
    for task in tasks:
        member = _member(task)
        members.append(member.clone() if id(member) in found else found.setdefault(id(member), member))
    return members


def _member(task: Any) -> Signature[Any]:
    if isinstance(task, Signature):
        return task
    if isinstance(task, Mapping):
        return signature(task)
    raise TypeError(f"A canvas is built of signatures such as add.s(2, 2), not {task!r:.80}")


def owner_of(parts: Iterable[Signature[Any]]) -> App | None:
    return next((part.owner for part in parts if part.owner is not None), None)
