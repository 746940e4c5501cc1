"""A call of a task that is to be published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel.model.options import CallOptions


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with every default of the task merged into ``options`` and nothing resolved yet.

    Attributes:
        task: registered name.
        args: positional arguments.
        kwargs: keyword arguments.
        id: the task id, also of every retry of this call.
        options: execution options (features.md 1.1).
    """

    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    options: CallOptions = field(default_factory=CallOptions)
