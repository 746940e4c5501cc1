"""What a failure takes with it: steps that will never run, and chords that must hear of it (features.md 2.1)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel.errors import InvalidTaskError
from kernel.model.canvas import tasks_below
from kernel.model.context import Request
from kernel.model.nodes import Kind, Node, as_list, kind_of, read_node
from kernel.model.tail import Tail, attach


@dataclass(frozen=True, slots=True)
class Membership:
    """The place of a task in a chord.

    Attributes:
        key: name of the join: the id of the header.
        index: place in the header; None when the client did not say.
        task_id: the member.
        body: what follows the chord, as the member carries it.
        request: the call that reports: the member itself, or what it fell with.
    """

    key: str
    index: int | None
    task_id: str
    body: Mapping[str, Any]
    request: Request | None = None

    @property
    def name(self) -> str:
        """The member's name in the join; names order the results."""
        return f"{999_999 if self.index is None else self.index:06d}:{self.task_id}"

    @property
    def size(self) -> int:
        """Members of the header; 0 when the client announced it elsewhere (wire.md 11)."""
        size = self.body.get("chord_size")
        return size if isinstance(size, int) else 0


@dataclass(slots=True)
class Fall:
    """What falls.

    Attributes:
        request: the call that fell.
        tasks: nodes that will never run, to be marked as failed.
        parts: chords that wait for one of them.
    """

    request: Request | None = None
    tasks: list[Node] = field(default_factory=list)
    parts: list[Membership] = field(default_factory=list)

    def add(self, node: Node) -> None:
        """Let a node fall with everything below it, and tell the chords that wait for its end."""
        match kind_of(node):
            case Kind.CHAIN | Kind.GROUP:
                for each in node["kwargs"]["tasks"]:
                    self.add(each)
            case Kind.CHORD:
                self.tasks += tasks_below(node["kwargs"]["header"])
                self.add(node["kwargs"]["body"])
            case Kind.TASK:
                self._task(node)

    def _task(self, node: Node) -> None:
        options = node["options"]
        self.tasks.append(node)
        if options.get("chord") and options.get("group_id"):
            place, task_id = options.get("group_index"), options.get("task_id") or ""
            self.parts.append(Membership(options["group_id"], place, task_id, options["chord"], self.request))
        for step in reversed(as_list(options.get("chain"))):
            self.add(read_node(step))


def membership(request: Request) -> Membership | None:
    """The chord that waits for this task itself."""
    if not request.chord or not request.group:
        return None
    return Membership(request.group, request.group_index, request.id or "", request.chord, request)


def after_failure(request: Request) -> Fall:
    """What a failed task takes with it: the later steps of its chain.

    Raises:
        InvalidTaskError: for a step that cannot be understood.
    """
    fall = Fall(request)
    own = membership(request)
    if own is not None:
        fall.parts.append(own)
    for step in reversed(request.chain or ()):
        fall.add(read_node(step))
    return fall


def readable_fall(request: Request) -> Fall:
    """The same; when a step cannot be read, nobody can have its id either, and only the task itself falls."""
    try:
        return after_failure(request)
    except InvalidTaskError:
        own = membership(request)
        return Fall(request, parts=[] if own is None else [own])


def first_tasks(node: Node) -> Iterator[Node]:
    """The tasks whose errbacks are told when a node falls as a whole: those it would have begun with, and of a chord
    the body's.
    """
    errors = Tail(errors=tuple(as_list(node["options"].get("link_error"))))
    match kind_of(node):
        case Kind.CHAIN:
            for step in node["kwargs"]["tasks"][:1]:
                yield from first_tasks(attach(step, errors))
        case Kind.GROUP:
            for member in node["kwargs"]["tasks"]:
                yield from first_tasks(attach(member, errors))
        case Kind.CHORD:
            yield from first_tasks(attach(node["kwargs"]["body"], errors))
        case Kind.TASK:
            yield node
