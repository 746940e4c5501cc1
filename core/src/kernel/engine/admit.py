"""Why a message is not run, or not now: decided from its headers alone (wire.md 2).

Every row of that table that kills or wedges other workers is a value here: nothing a message contains raises.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from kernel.engine.ratelimit import TokenBucket
from kernel.engine.revoked import RevokedTasks
from kernel.errors import InvalidTaskError


class Run(NamedTuple):
    """Run it now. Limits are seconds, None for no limit."""

    task: str
    id: str
    soft_limit: float | None = None
    hard_limit: float | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Not yet: its ETA or its turn under a rate limit comes in ``delay_s`` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Expired:
    """Its ``expires`` has passed: it is acknowledged and stored as REVOKED."""

    task: str
    id: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """It was revoked: it is acknowledged and stored as REVOKED."""

    task: str
    id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No task of that name here: it is quarantined and stored as FAILURE."""

    task: str
    id: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """No task message: it is quarantined, and nothing is stored."""

    reason: str


Verdict = Run | Later | Expired | Revoked | Unknown | Malformed


@dataclass(frozen=True, slots=True)
class TaskRule:
    """What admission knows of a task: its own limits (the message's win), and its rate limit."""

    soft_limit: float | None = None
    hard_limit: float | None = None
    bucket: TokenBucket | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a node admits.

    Attributes:
        tasks: task name → rule.
        zone: the time zone of an ``eta`` or ``expires`` that names none (wire.md 2.1); None is local time, as it was or
            will be on that day.
        revoked: which tasks are not to run any more.
    """

    tasks: Mapping[str, TaskRule]
    zone: tzinfo | None = UTC
    revoked: RevokedTasks = field(default_factory=RevokedTasks)


def admit(headers: Mapping[str, Any], rules: Rules, now: float) -> Verdict:
    """Decide on a message at Unix time ``now``.

    Order: damaged, unknown, revoked, expired, not due, over its rate limit. A rate limit applies after the ETA
    (features.md 1.6), and is only charged when the message is to run.
    """
    try:
        task, task_id = _text(headers, "task"), _text(headers, "id")
        rule = rules.tasks.get(task)
        if rule is None:
            return Unknown(task, task_id)
        if task_id in rules.revoked.ids or (rules.revoked.stamps and rules.revoked.stamped(headers.get("stamps"))):
            return Revoked(task, task_id)
        expires = _moment(headers, "expires", rules.zone)
        eta = _moment(headers, "eta", rules.zone)
        hard, soft = _limits(headers)
        _check_retries(headers)
    except InvalidTaskError as error:
        return Malformed(str(error))
    if expires is not None and expires <= now:
        return Expired(task, task_id)
    wait = 0.0 if eta is None else eta - now
    if wait <= 0.0 and rule.bucket is not None:
        wait = rule.bucket.take(now)
    if wait > 0.0:
        return Later(wait)
    return Run(task, task_id, soft or rule.soft_limit, hard or rule.hard_limit)


def _text(headers: Mapping[str, Any], key: str) -> str:
    value = headers.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidTaskError(f"The header {key!r} must be a non-empty text, got {value!r:.80}")
    return value


def _moment(headers: Mapping[str, Any], key: str, zone: tzinfo | None) -> float | None:
    """A point in time as Unix seconds."""
    value = headers.get(key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise InvalidTaskError(f"The header {key!r} must be an ISO 8601 time, got {value!r:.80}") from None


def _limits(headers: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The message's own (hard, soft) limit (wire.md 1.1)."""
    value = headers.get("timelimit")
    if value is None:
        return None, None
    if not isinstance(value, (list, tuple)) or len(value) != 2:  # noqa: PLR2004 - hard and soft
        raise InvalidTaskError(f"The header 'timelimit' must be [hard, soft], got {value!r:.80}")
    return _seconds(value[0]), _seconds(value[1])


def _seconds(value: object) -> float | None:
    if value is None or value == 0:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise InvalidTaskError(f"A time limit must be a number of seconds, got {value!r:.80}")
    return float(value)


def _check_retries(headers: Mapping[str, Any]) -> None:
    value = headers.get("retries")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InvalidTaskError(f"The header 'retries' must be a count, got {value!r:.80}")
