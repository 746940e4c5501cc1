"""Whether a failed publish is tried again, and when (features.md 1.8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kernel.errors import Code, DriverError, OperationalError
from kernel.errors import TimeoutError as TaskTimeoutError
from kernel.errors.near import did_you_mean

_SAME_MEANING: Mapping[str, tuple[type[BaseException], ...]] = {
    Code.TIMEOUT: (TimeoutError, TaskTimeoutError),
    Code.UNAVAILABLE: (ConnectionError, OperationalError),
}
"""What ``retry_errors`` may say instead of the codes of drivers."""


_COUNTED = 1000
"""Pauses that are added up one by one; whoever retries more often has long reached ``interval_max``."""


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """A checked retry policy; seconds throughout.

    Attributes:
        max_retries: tries after the first; None is for ever.
        interval_start: pause before the first retry.
        interval_step: added before each further one.
        interval_max: longest pause.
        retry_errors: when given, only these exception types are retried.
    """

    max_retries: int | None = 3
    interval_start: float = 0
    interval_step: float = 0.2
    interval_max: float = 1
    retry_errors: tuple[type[BaseException], ...] | None = None
    total_s: float | None = field(init=False, default=None)
    """Seconds that all pauses together take; None when they never end."""

    def __post_init__(self) -> None:
        if self.max_retries is not None:
            pauses = sum(self.pause(retry) for retry in range(min(self.max_retries, _COUNTED)))
            rest = max(0, self.max_retries - _COUNTED) * self.interval_max
            object.__setattr__(self, "total_s", pauses + rest)

    def pause(self, retry: int) -> float:
        """Seconds before retry number ``retry``, counted from 0."""
        return max(0.0, min(self.interval_start + self.interval_step * retry, self.interval_max))

    def allows(self, retry: int, error: DriverError) -> bool:
        """Whether retry number ``retry``, from 0, is made after ``error``."""
        if self.max_retries is not None and retry >= self.max_retries:
            return False
        if self.retry_errors is None:
            return error.retryable
        if isinstance(error, self.retry_errors) or isinstance(error.__cause__, self.retry_errors):
            return True
        return any(issubclass(kind, self.retry_errors) for kind in _SAME_MEANING.get(error.code, ()))


NO_RETRY = PublishPolicy(max_retries=0)
_KEYS = tuple(each.name for each in fields(PublishPolicy) if each.init)


def publish_policy(setting: Mapping[str, Any], call: Mapping[str, Any] | None) -> PublishPolicy:
    """The policy of one call: ``call`` (its ``retry_policy`` option) merged over the setting.

    Raises:
        ValueError: for an unknown key or a value that is no number of seconds or retries.
    """
    merged = {**setting, **(call or {})}
    for key in merged:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"Known keys are {', '.join(_KEYS)}."
            raise ValueError(f"Unknown key {key!r} in the publish retry policy. {hint}")
    for key in _KEYS[:-1]:
        _check_number(key, merged.get(key, 0))
    if merged.get("retry_errors") is not None:
        merged["retry_errors"] = tuple(merged["retry_errors"])
    return PublishPolicy(**merged)


def _check_number(key: str, value: object) -> None:
    if value is None and key == "max_retries":
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{key} of the publish retry policy must be a number from 0 up, not {value!r}")
