"""One event as one line of text, for people who watch."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_COMMON: Final = frozenset(
    {"type", "timestamp", "hostname", "uuid", "name", "utcoffset", "pid", "clock", "local_received", "traceback"}
)
"""What every event carries, and what would take more than a line."""
_SOFTWARE: Final = frozenset({"sw_ident", "sw_ver", "sw_sys", "freq"})
_LONGEST: Final = 200


def event_line(event: Mapping[str, Any]) -> str:
    """Time, host, type, task, and what else it carries: ``12:00:00.000  w1@box  task-received  add[id]  args=(2, 3)``.

    Args:
        event: as a receiver hands it over.
    """
    kind = str(event["type"])
    hidden = _COMMON if kind == "worker-online" else _COMMON | _SOFTWARE
    told = [f"{key}={_short(value)}" for key, value in event.items() if key not in hidden and value not in (None, "")]
    parts = [_time(event.get("timestamp")), str(event.get("hostname", "?")), kind, *_task(event), " ".join(told)]
    return "  ".join(part for part in parts if part)


def _time(timestamp: object) -> str:
    if not isinstance(timestamp, (int, float)):
        return "?"
    return datetime.fromtimestamp(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _task(event: Mapping[str, Any]) -> list[str]:
    if "uuid" not in event:
        return []
    return [f"{event.get('name') or ''}[{event['uuid']}]"]


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
