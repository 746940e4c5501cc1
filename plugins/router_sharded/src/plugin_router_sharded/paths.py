"""Where in a call a key stands: ``args[0]``, ``kwargs.customer.id``, ``headers.tenant``, ``id``, ``task``."""

import re
from collections.abc import Mapping, Sequence

from kernel.model.topology import TaskRef

ROOTS = ("args", "kwargs", "headers", "id", "task")
_STEP = re.compile(r"""\.(?P<name>[^\s.\[\]"']+)|\[(?P<index>-?[0-9]{1,9})\]|\["(?P<text>[^"]*)"\]""")
_EXAMPLES = 'args[0], kwargs.customer.id, kwargs["a.b"], headers.tenant, id or task'


class Path:
    """One path, taken apart.

    Args:
        text: as in configuration.

    Raises:
        ValueError: when it is no path; says what it should be.
    """

    __slots__ = ("_root", "_steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        root = re.match(r"\w*", text)
        self._root = root[0] if root else ""
        rest = text[len(self._root) :]
        steps: list[str | int] = []
        while match := _STEP.match(rest):
            steps.append(int(match["index"]) if match["index"] else match["name"] or match["text"] or "")
            rest = rest[match.end() :]
        needs_steps = self._root in {"args", "kwargs", "headers"}
        if rest or self._root not in ROOTS or needs_steps != bool(steps):
            raise ValueError(f"{text!r} is no path such as {_EXAMPLES}")
        if self._root == "args" and isinstance(steps[0], str):
            raise ValueError(f"{text!r}: positional arguments have numbers, as in args[0]")
        if self._root in {"kwargs", "headers"} and isinstance(steps[0], int):
            raise ValueError(f"{text!r}: {self._root} have names, as in {self._root}.customer")
        self._steps = tuple(steps)

    @property
    def by_name(self) -> bool:
        """Whether it looks at nothing but the task's name."""
        return self._root == "task"

    def find(self, ref: TaskRef) -> object:
        """What stands there; None when there is nothing, or an empty id."""
        found = self._start(ref)
        for step in self._steps:
            found = _inside(found, step)
            if found is None:
                return None
        return found

    def _start(self, ref: TaskRef) -> object:
        match self._root:
            case "args":
                return ref.args
            case "kwargs":
                return ref.kwargs
            case "headers":
                return ref.options.get("headers")
            case "id":
                return ref.id or ref.options.get("task_id") or None
            case _:
                return ref.name


def _inside(holder: object, step: str | int) -> object:
    if isinstance(holder, Mapping):
        return holder.get(step)
    if isinstance(step, int) and isinstance(holder, Sequence) and not isinstance(holder, (str, bytes)):
        return holder[step] if -len(holder) <= step < len(holder) else None
    return None
