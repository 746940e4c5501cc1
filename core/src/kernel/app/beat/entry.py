"""One periodic task: what is sent, when, and when it was sent last."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

from kernel.app.schedules.base import schedstate
from kernel.app.schedules.convert import maybe_schedule

EDITABLE: Final = ("task", "schedule", "args", "kwargs", "options")
"""What configuration says of an entry; the rest is what happened to it."""


class BeatLazyFunc:
    """A function among the arguments of an entry: called when the entry is sent, and replaced by what it returns.

    Args:
        func: the function.
        args: its arguments.
        kwargs: its keyword arguments.
    """

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._func = func
        self._func_params: dict[str, Any] = {"args": args, "kwargs": kwargs}

    def __call__(self) -> Any:
        """Call the function."""
        return self.delay()

    def delay(self) -> Any:
        """Call the function; in this process, in spite of the name."""
        return self._func(*self._func_params["args"], **self._func_params["kwargs"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func!r})"


class ScheduleEntry:
    """An entry of a scheduler; also a mapping of its own attributes, for ``dict(entry)``.

    Args:
        name: of the entry.
        task: name of the task.
        last_run_at: when it was sent last; None is now, so that the first time comes when the schedule says so.
        total_run_count: how often it was sent.
        schedule: whatever :func:`kernel.schedules.maybe_schedule` takes.
        args: arguments; a :class:`BeatLazyFunc` among them is called when the entry is sent.
        kwargs: keyword arguments, likewise.
        options: execution options of ``apply_async``.
        relative: an interval is rounded down to the clock.
        app: the application.
    """

    name: str | None = None
    schedule: Any = None
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None
    options: Mapping[str, Any] | None = None
    last_run_at: datetime | None = None
    total_run_count: int = 0

    def __init__(  # noqa: PLR0913 - the documented form
        self,
        name: str | None = None,
        task: str | None = None,
        last_run_at: datetime | None = None,
        total_run_count: int | None = None,
        schedule: Any = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        relative: bool = False,
        app: Any = None,
    ) -> None:
        self.app = app
        self.name = name
        self.task = task
        self.args = args
        self.kwargs = kwargs or {}
        self.options = options or {}
        self.schedule = maybe_schedule(schedule, relative, app=app)
        self.last_run_at = last_run_at or self.default_now()
        self.total_run_count = total_run_count or 0

    def default_now(self) -> datetime:
        """The time now, by the schedule's clock."""
        found: datetime = self.schedule.now() if self.schedule else self.app.now()
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    _default_now = default_now

    def _next_instance(self, last_run_at: datetime | None = None) -> Self:
        """The entry after it was sent."""
        ran = {"last_run_at": last_run_at or self.default_now(), "total_run_count": self.total_run_count + 1}
        return type(self)(**{**vars(self), **ran})

    def __next__(self) -> Self:
        return self._next_instance()

    next = __next__

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(vars(self).items())

    def update(self, other: Any) -> None:
        """Take what configuration says from another entry; when it ran stays."""
        for field in EDITABLE:
            setattr(self, field, getattr(other, field))

    def is_due(self) -> schedstate:
        """Whether it is due, and the seconds until that may change."""
        found: schedstate = self.schedule.is_due(self.last_run_at)
        return found

    def editable_fields_equal(self, other: Any) -> bool:
        """Whether configuration says the same of both."""
        return all(getattr(self, field) == getattr(other, field, None) for field in EDITABLE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScheduleEntry) and self.editable_fields_equal(other)

    __hash__ = object.__hash__

    def __lt__(self, other: object) -> bool:
        """Any order will do: entries due at the same moment are equal in rank."""
        return id(self) < id(other) if isinstance(other, ScheduleEntry) else NotImplemented

    def __repr__(self) -> str:
        parts = [*map(repr, self.args or ()), *(f"{key}={value!r}" for key, value in (self.kwargs or {}).items())]
        return f"<{type(self).__name__}: {self.name} {self.task}({', '.join(parts)}) {self.schedule!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self.name,
            self.task,
            self.last_run_at,
            self.total_run_count,
            self.schedule,
            self.args,
            self.kwargs,
            self.options,
        )
