"""How monitors read events (wire.md 13): what an event says of a task or a worker, decided without a clock."""

from collections.abc import Mapping
from typing import Any, Final

from kernel.model import states

STATES: Final[Mapping[str, str]] = {
    "sent": states.PENDING,
    "received": states.RECEIVED,
    "started": states.STARTED,
    "succeeded": states.SUCCESS,
    "failed": states.FAILURE,
    "retried": states.RETRY,
    "revoked": states.REVOKED,
    "rejected": states.REJECTED,
}
"""The state that a task event means, by the second part of its type; any other one is a state of the task's own."""

HEARTBEATS_KEPT: Final = 4
FREQUENCY_S: Final = 60.0
"""Time between heartbeats of a worker that has not said it yet."""
_MOST: Final = 2.0**62
"""No time, no frequency and no clock is beyond this."""
EXPIRE_WINDOW: Final = 200
"""A worker lives for this many hundredths of the time between two heartbeats after its last one."""

_FROM_ARRIVAL: Final = frozenset({"name", "args", "kwargs", "parent_id", "root_id", "retries", "eta", "expires"})
"""What an event of arrival that comes late still tells."""
_OF_THE_EVENT: Final = frozenset({"timestamp", "clock", "hostname", "pid", "type"})
"""What a late event says of itself rather than of the task."""


_TEXTS: Final = frozenset({"hostname", "uuid", "name", "parent_id", "root_id"})
_NUMBERS: Final = frozenset({"timestamp", "local_received", "clock", "freq"})
_NEVER_TOLD: Final = frozenset({"heartbeats", "worker", "client", "cluster_state", "state"})
"""What a monitor finds out by itself."""


def readable(fields: Mapping[str, Any], taken: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What of an event can be taken in: it may come from anybody, and nothing it says may stop a monitor.

    Args:
        fields: the event.
        taken: names that mean something else where it is to be kept.
    """
    return {name: value for name, value in fields.items() if name not in taken and _can_be(name, value)}


def _can_be(name: object, value: object) -> bool:
    if not isinstance(name, str) or name in _NEVER_TOLD:
        return False
    if value is None:
        return name != "freq"
    if name in _TEXTS:
        return isinstance(value, str)
    return name not in _NUMBERS or (isinstance(value, (int, float)) and abs(value) < _MOST)


def split_type(event_type: str) -> tuple[str, str]:
    """Group and subject: ``task-received`` is ``("task", "received")``."""
    group, _, subject = event_type.partition("-")
    return group, subject


def heartbeat_expires(timestamp: float, freq: float = FREQUENCY_S, expire_window: float = EXPIRE_WINDOW) -> float:
    """The Unix time from which a worker counts as gone when nothing is heard after ``timestamp``."""
    return timestamp + float(freq) * expire_window / 100.0


def kept_heartbeats(heartbeats: list[float], heard_at: float) -> list[float]:
    """The last few heartbeats, oldest first, with one more."""
    return sorted([*heartbeats, heard_at])[-HEARTBEATS_KEPT:]


def task_fields(state: str, subject: str, timestamp: float | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What an event changes of a task that was seen in ``state``.

    An event that belongs before that state has come late: it changes no state, and one of arrival only adds what the
    task was called with. A retry may follow any state, and any state may follow a retry.

    Args:
        state: the state known so far.
        subject: the second part of the event's type.
        timestamp: when it happened.
        fields: what it carries.
    """
    meant = STATES.get(subject, subject.upper())
    changes = {subject: timestamp} if subject in STATES else {}
    if states.RETRY not in {meant, state} and states.precedence(meant) > states.precedence(state):
        arrival = meant == states.RECEIVED
        return changes | {
            key: value
            for key, value in fields.items()
            if (key in _FROM_ARRIVAL if arrival else key not in _OF_THE_EVENT)
        }
    return changes | dict(fields) | {"state": meant, "timestamp": timestamp}
