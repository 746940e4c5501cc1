"""What became of one run of a task body: a value with few shapes (taste.md, rule 3)."""

from dataclasses import dataclass

from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.options import CallOptions


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The body returned."""

    value: object


@dataclass(frozen=True, slots=True)
class Failed:
    """The body raised. ``expected`` is True for exception types the task lists in ``throws``."""

    error: BaseException
    traceback: str
    expected: bool = False
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Retried:
    """The body asked to be run again, and this is the call that does it."""

    error: BaseException
    traceback: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    options: CallOptions
    delay_s: float


@dataclass(frozen=True, slots=True)
class Replaced:
    """The body put other tasks in its place: they are sent, and the last of them ends under the task's own id."""

    calls: tuple[Call, ...]
    joins: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """The body asked for nothing to be stored."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The body rejected its message."""

    reason: str
    requeue: bool


Outcome = Succeeded | Failed | Retried | Replaced | Ignored | Rejected
