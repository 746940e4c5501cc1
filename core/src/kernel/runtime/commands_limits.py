"""Commands of remote control that change limits of tasks (wire.md 12)."""

import logging
from typing import Any

from kernel.engine.requirements import Requirement, check
from kernel.errors import ImproperlyConfigured, PluginError
from kernel.runtime.panel import control_command
from kernel.runtime.panel_state import PanelState

logger = logging.getLogger("kernel.worker")

Answer = dict[str, str]


@control_command(
    args=[("task_name", str), ("rate_limit", str)], signature="<task_name> <rate_limit (e.g., 5/s | 5/m | 5/h)>"
)
def rate_limit(state: PanelState, task_name: str, rate_limit: str | float | None, **_rest: Any) -> Answer:
    """Change the rate limit of a task; 0 is none."""
    if state.parts.services.config.worker_disable_rate_limits:
        return {"error": "rate limits are off: worker_disable_rate_limits"}
    try:
        per_second = state.parts.tasks.set_rate(task_name, rate_limit)
    except KeyError:
        return _unknown(task_name)
    except ImproperlyConfigured as error:
        return {"error": f"Invalid rate limit string: {rate_limit!r}. {error.cure}"}
    if per_second is None:
        logger.info("Rate limits disabled for tasks of type %s", task_name)
        return {"ok": "rate limit disabled successfully"}
    logger.info("New rate limit for tasks of type %s: %s", task_name, rate_limit)
    return {"ok": "new rate limit set successfully"}


@control_command(
    args=[("task_name", str), ("soft", float), ("hard", float)], signature="<task_name> <soft_secs> [hard_secs]"
)
def time_limit(
    state: PanelState, task_name: str, soft: float | None = None, hard: float | None = None, **_rest: Any
) -> Answer:
    """Change the time limits of a task, in seconds, for runs that begin from now on."""
    soft, hard = _seconds("soft", soft), _seconds("hard", hard)
    if soft is not None and hard is not None and soft > hard:
        return {"error": f"the soft limit {soft:g} is above the hard limit {hard:g}"}
    wanted = [Requirement(f"{kind}_limit", kind) for kind, given in (("soft", soft), ("hard", hard)) if given]
    pool = state.parts.pool
    try:
        check(f"pool.{pool.name}", pool.capabilities().claimed(), wanted)
        state.parts.tasks.set_time(task_name, soft, hard)
    except PluginError:
        return {"error": f"The pool {pool.name!r} cannot keep such a limit."}
    except KeyError:
        return _unknown(task_name)
    logger.info("New time limits for tasks of type %s: soft=%s hard=%s", task_name, soft, hard)
    return {"ok": "time limits set successfully"}


def _unknown(task: str) -> Answer:
    logger.error("Limits of task %s cannot be changed: it is not registered in this worker", task)
    return {"error": "unknown task"}


def _seconds(name: str, value: object) -> float | None:
    """A limit; None and 0 are no limit.

    Raises:
        ValueError: for anything but a number of seconds.
    """
    if value is None or value == 0:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a number of seconds, not {value!r:.80}")
    return float(value)
