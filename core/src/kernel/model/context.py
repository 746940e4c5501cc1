"""What a running task may ask about its own call: ``self.request`` (features.md 1.21)."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(slots=True)
class Request:
    """One call of a task, as its body sees it.

    ``timelimit`` is (hard, soft) in seconds. ``eta`` and ``expires`` are ISO 8601 texts. ``headers`` holds the
    caller's own extra headers only. ``called_directly`` is True in a plain ``add(2, 2)``.
    """

    id: str | None = None
    task: str | None = None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    origin: str | None = None
    hostname: str | None = None
    retries: int = 0
    eta: str | None = None
    expires: str | None = None
    timelimit: tuple[float | None, float | None] = (None, None)
    group: str | None = None
    group_index: int | None = None
    chord: Mapping[str, Any] | None = None
    chain: list[Any] | None = None
    callbacks: list[Any] | None = None
    errbacks: list[Any] | None = None
    root_id: str | None = None
    parent_id: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    delivery_info: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] | None = None
    shadow: str | None = None
    ignore_result: bool | None = None
    replaced_task_nesting: int = 0
    stamped_headers: list[str] | None = None
    stamps: Mapping[str, Any] = field(default_factory=dict)
    utc: bool = True
    is_eager: bool = False
    called_directly: bool = True
    attempt: int | None = None
    pid: int | None = None
    loglevel: int | None = None
    logfile: str | None = None
    children: list[Any] = field(default_factory=list)
    pending_retry: object = None

    @property
    def time_limit(self) -> float | None:
        """The hard time limit in seconds, or None."""
        return self.timelimit[0]

    @property
    def soft_time_limit(self) -> float | None:
        """The soft time limit in seconds, or None."""
        return self.timelimit[1]

    def get(self, key: str, default: object = None) -> object:
        """An attribute by name, as a mapping would give it."""
        return getattr(self, key, default)


class Running(NamedTuple):
    """The task object that runs here now, its request, and whether it may wait for other tasks."""

    task: Any
    request: Request
    may_wait: bool = False


current: ContextVar[Running | None] = ContextVar("kernel_running", default=None)
"""The one ambient value of the kernel. Read anywhere; set only where a body is called (``engine.attempt``,
``Task.__call__``, and ``runtime.commit`` for handlers), and by ``allow_join_result`` with a copy."""


def may_wait() -> bool:
    """Whether code here may wait for the result of another task (features.md 1.3)."""
    running = current.get()
    return running is None or running.request.called_directly or running.may_wait
