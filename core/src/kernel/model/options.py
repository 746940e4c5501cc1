"""Options of a task, and options of one call of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict


class RetryPolicy(TypedDict, total=False):
    """How publishing is retried (features.md 1.8). Seconds throughout."""

    max_retries: int | None
    interval_start: float
    interval_step: float
    interval_max: float
    retry_errors: tuple[type[BaseException], ...] | None


class CallOptions(TypedDict, total=False):
    """Every execution option of ``apply_async`` and ``send_task`` (features.md 1.1), after normalization.

    Times: ``countdown`` is seconds from now, ``eta`` and ``expires`` are points in time (``expires`` may be
    seconds as the caller gives it). ``headers`` are the caller's own message headers and ``properties``
    transport properties such as ``MessageGroupId``.
    """

    task_id: str
    queue: object
    exchange: object
    routing_key: str
    priority: int
    countdown: float
    eta: datetime
    expires: float | datetime
    link: Sequence[Any] | Mapping[str, Any]
    link_error: Sequence[Any] | Mapping[str, Any]
    retry: bool
    retry_policy: RetryPolicy
    serializer: str
    compression: str
    ignore_result: bool
    headers: Mapping[str, Any]
    shadow: str
    time_limit: float
    soft_time_limit: float
    group_id: str
    group_index: int
    root_id: str
    parent_id: str
    reply_to: str
    chain: Sequence[Any]
    chord: Mapping[str, Any]
    retries: int
    delivery_mode: int | str
    add_to_parent: bool
    replaced_task_nesting: int
    stamped_headers: Sequence[str]
    stamps: Mapping[str, Any]
    group: str
    dedup_id: str
    properties: Mapping[str, Any]
    publisher: object
    producer: object
    connection: object


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What a worker needs to know of a task to run it: a frozen copy of its attributes (features.md 1.18).

    Built once per task at boot, after annotations are applied. Times are seconds; None means "not set here".
    """

    name: str
    ignore_result: bool = False
    store_errors_even_if_ignored: bool = False
    acks_late: bool = False
    acks_on_failure: bool = True
    acks_on_timeout: bool = True
    reject_on_worker_lost: bool = True
    track_started: bool = False
    max_retries: int | None = 3
    default_retry_delay: float = 180.0
    autoretry_for: tuple[type[BaseException], ...] = ()
    dont_autoretry_for: tuple[type[BaseException], ...] = ()
    retry_kwargs: Mapping[str, Any] | None = None
    retry_backoff: float = 0.0
    retry_backoff_max: float = 600.0
    retry_jitter: bool = True
    throws: tuple[type[BaseException], ...] = ()
    time_limit: float | None = None
    soft_time_limit: float | None = None
    serializer: str | None = None
    compression: str | None = None
    resultrepr_maxsize: int = 1024
    send_events: bool = True
