"""What may stand in ``beat_schedule``: checked when the setting is read, not when beat starts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kernel.app.schedules.convert import maybe_schedule
from kernel.errors import ImproperlyConfigured
from kernel.errors.near import did_you_mean
from kernel.model.cron import ParseException

KEYS = ("task", "schedule", "args", "kwargs", "options", "relative")
"""Keys of an entry; a scheduler of somebody else's may know more."""


def problem_of(entries: Mapping[str, Any]) -> str:
    """What is wrong with a schedule, as the end of a sentence; empty when nothing is."""
    for name, entry in entries.items():
        if isinstance(entry, Mapping) and (problem := _problem(entry)):
            return f"entry {name!r} {problem}"
        if not isinstance(entry, Mapping) and not callable(getattr(entry, "is_due", None)):
            return f"entry {name!r} must be a mapping with a task and a schedule"
    return ""


def _problem(entry: Mapping[str, Any]) -> str:
    for key in entry:
        near = did_you_mean(str(key), KEYS) if key not in KEYS else ""
        if near:
            return f"has no key {key!r}. {near}"
    if not isinstance(entry.get("task"), str) or not entry["task"]:
        return "must name its 'task'"
    if not isinstance(entry.get("args", ()), (list, tuple)) or not isinstance(entry.get("kwargs") or {}, Mapping):
        return "must have a list as its 'args' and a mapping as its 'kwargs'"
    if not isinstance(entry.get("options") or {}, Mapping):
        return "must have a mapping as its 'options'"
    return _schedule_problem(entry)


def _schedule_problem(entry: Mapping[str, Any]) -> str:
    if entry.get("schedule") is None:
        return "must have a 'schedule'"
    try:
        found = maybe_schedule(entry["schedule"], bool(entry.get("relative", False)))
        if getattr(found, "run_every", None) == timedelta():
            return "has an interval of nothing: it would be sent without a pause"
    except ImproperlyConfigured:  # the library for the Sun: beat needs it and says so, workers and clients do not
        return ""
    except (ParseException, ValueError, TypeError) as error:
        return f"has a schedule that cannot be: {error}"
    return ""
