"""What a well-typed value must also be: one of the choices, not below the minimum, a known time zone."""

import math
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from kernel.app.setting_table import Setting
from kernel.errors.near import did_you_mean
from kernel.errors.setup import ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.options import RetryPolicy

_WIRE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _timezone(value: Any) -> str:
    if value is None:
        return ""
    zoneinfo = import_module("zoneinfo")  # few settings name a time zone; all programs would pay for it
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(value, zoneinfo.available_timezones())
        return f"must be the name of a time zone, such as 'Europe/Berlin'. {near}".rstrip()
    return ""


def _namespace(value: Any) -> str:
    return "" if _WIRE_NAME.fullmatch(value) else "must be letters, digits and '_.-', and start with one of the former"


def _routes(value: Any) -> str:
    # A Router is known by its method: importing the contracts here would make every program that calls tasks pay
    by_method = any(callable(getattr(value, method, None)) for method in ("route_for_task", "compile"))
    if value is None or callable(value) or by_method or isinstance(value, (str, Mapping, list, tuple)):
        return ""
    return "must be a mapping, a list, a function, a Router, a dotted name or None"


def _annotations(value: Any) -> str:
    if value is None or isinstance(value, (Mapping, list, tuple)) or callable(getattr(value, "annotate", None)):
        return ""
    return "must be a mapping from task names to attributes, an object with annotate(), a list of those, or None"


def _queues(value: Any) -> str:
    for item in value or ():
        if not isinstance(item, (str, Mapping)) and not isinstance(getattr(item, "name", None), str):
            return "must be a list of names, of mappings with a 'name', or of Queue objects"
        if isinstance(item, Mapping) and not isinstance(item.get("name"), str):
            return "must give every queue a 'name'"
    return ""


def _beat_schedule(value: Any) -> str:
    if not value:
        return ""
    problem: str = import_module("kernel.app.beat_entries").problem_of(
        value
    )  # schedules are imported where one is used
    return problem


def _retry_policy(value: Any) -> str:
    for key, item in value.items():
        if key not in RetryPolicy.__annotations__:
            return f"has no key {key!r}. {did_you_mean(str(key), RetryPolicy.__annotations__)}".rstrip()
        if problem := _retry_policy_item(key, item):
            return f"key {key!r} {problem}"
    return ""


def _retry_policy_item(key: str, item: object) -> str:
    if key == "retry_errors":
        classes = item if isinstance(item, tuple) else (item,)
        fine = item is None or all(isinstance(each, type) and issubclass(each, BaseException) for each in classes)
        return "" if fine else "must be a tuple of exception classes or None"
    if key == "max_retries" and item is None:
        return ""
    expected = int if key == "max_retries" else (int, float)
    if isinstance(item, bool) or not isinstance(item, expected) or not 0 <= item < math.inf:
        return "must be a whole number from 0, or None for ever" if key == "max_retries" else "must be seconds from 0"
    return ""


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "timezone": _timezone,
    "namespace": _namespace,
    "task_routes": _routes,
    "task_annotations": _annotations,
    "task_queues": _queues,
    "beat_schedule": _beat_schedule,
    "task_publish_retry_policy": _retry_policy,
}


def problem_of(setting: Setting, value: object) -> str:
    """What is wrong with a value of the right type, as the end of a sentence; empty when nothing is."""
    if type(value) in {type(choice) for choice in setting.choices} and value not in setting.choices:
        return f"must be {setting.expected}"
    if isinstance(value, (int, float)) and not value >= setting.minimum:  # so that NaN fails, too
        return f"must be at least {setting.minimum}"
    check = _CHECKS.get(setting.name)
    return check(value) if check is not None else ""


def check_together(config: Config, origins: Mapping[str, str]) -> None:
    """Refuse settings that contradict each other."""
    soft, hard = config.task_soft_time_limit, config.task_time_limit
    if soft is not None and hard is not None and soft > hard:
        raise ImproperlyConfigured(
            f"task_soft_time_limit = {soft} ({origins['task_soft_time_limit']}) is above"
            f" task_time_limit = {hard} ({origins['task_time_limit']}), so it could never act.",
            cure="Make the soft limit the smaller one.",
        )
