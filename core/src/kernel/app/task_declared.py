"""What a task declares: its options as attributes, and its handlers (features.md 1.18, 1.19)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kernel.app.task_class import TaskType
from kernel.errors import MaxRetriesExceededError as RetriesUsedUp
from kernel.errors import OperationalError as SendError


class DeclaredTask(metaclass=TaskType):
    """The options and handlers of a task; times are seconds.

    An option that is None takes its value from a setting (``kernel.app.task_settings.FROM_SETTINGS``) or is not set.
    """

    name: str = ""
    typing: bool = True
    bind: bool = False
    trail: bool = True
    send_events: bool = True
    serializer: str | None = None
    compression: str | None = None
    queue: Any = None
    exchange: Any = None
    routing_key: str | None = None
    priority: int | None = None
    delivery_mode: int | str | None = None
    expires: float | datetime | None = None
    max_retries: int | None = 3
    default_retry_delay: float = 180
    autoretry_for: Sequence[type[BaseException]] = ()
    dont_autoretry_for: Sequence[type[BaseException]] = ()
    retry_kwargs: Mapping[str, Any] | None = None
    retry_backoff: bool | float = False
    retry_backoff_max: float = 600
    retry_jitter: bool = True
    throws: Sequence[type[BaseException]] = ()
    rate_limit: str | float | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None
    ignore_result: bool | None = None
    store_errors_even_if_ignored: bool | None = None
    track_started: bool | None = None
    acks_late: bool | None = None
    acks_on_failure: bool | None = None
    acks_on_timeout: bool | None = None
    acks_on_failure_or_timeout: bool | None = None
    """Default of the two before it."""
    reject_on_worker_lost: bool | None = None
    resultrepr_maxsize: int = 1024
    Request: Any = "kernel.worker.request:Request"
    OperationalError: ClassVar[type[SendError]] = SendError
    MaxRetriesExceededError: ClassVar[type[Exception]] = RetriesUsedUp

    def on_bound(self, app: Any) -> None:
        """Called when the task is given to an application; for subclasses."""

    # Handlers run where the body ran; what they return is ignored

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called before the body; an error here fails the task."""

    def on_success(self, retval: Any, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called after a success was stored."""

    def on_failure(
        self, exc: BaseException, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: Any
    ) -> None:
        """Called after a failure was stored."""

    def on_retry(
        self, exc: BaseException, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: Any
    ) -> None:
        """Called after a retry was sent."""

    def after_return(
        self,
        status: str,
        retval: Any,
        task_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        einfo: Any,
    ) -> None:
        """Called last."""

    def shadow_name(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
        """A name to show in logs and events instead of the task's, or None."""
