"""The tasks of a node with their limits, from settings and registry; some may be changed by remote control."""

from collections.abc import Mapping
from dataclasses import replace

from kernel.engine.admit import Rules, TaskRule
from kernel.engine.attempt import RunnableTask
from kernel.engine.ratelimit import TokenBucket, parse_rate
from kernel.engine.revoked import RevokedTasks
from kernel.engine.timing import app_zone
from kernel.model.config import Config
from kernel.runtime.intake import Catalogue, Listed
from kernel.runtime.request import request_class


def make_catalogue(
    tasks: Mapping[str, RunnableTask], config: Config, hostname: str, revoked: RevokedTasks
) -> tuple[Catalogue, "Limits"]:
    """What a node knows of its tasks, and the way to change it while it runs."""
    listed = {name: Listed(task, task.task_options, request_class(task)) for name, task in tasks.items()}
    limits = Limits({name: _rule(each, config) for name, each in listed.items()})
    rules = Rules(limits.rules, app_zone(config.timezone, config.enable_utc), revoked)
    return Catalogue(listed, rules, hostname, config.task_delivery_limit), limits


class Limits:
    """Limits of tasks by name. Changed by whole rules, from any thread.

    Attributes:
        rules: what admission looks at.
    """

    def __init__(self, rules: dict[str, TaskRule]) -> None:
        self.rules = rules

    def set_rate(self, task: str, rate: str | float | None) -> float | None:
        """Change a rate limit; tasks per second, None when there is none any more.

        Raises:
            KeyError: there is no such task here.
            ImproperlyConfigured: for what is no rate.
        """
        per_second = parse_rate(rate)
        bucket = None if per_second is None else TokenBucket(per_second)
        self.rules[task] = replace(self.rules[task], bucket=bucket)
        return per_second

    def set_time(self, task: str, soft: float | None, hard: float | None) -> None:
        """Change time limits, for tasks that begin from now on.

        Raises:
            KeyError: there is no such task here.
        """
        self.rules[task] = replace(self.rules[task], soft_limit=soft, hard_limit=hard)


def _rule(listed: Listed, config: Config) -> TaskRule:
    """Limits: the message's win, then the task's, then the settings' (wire.md 2.2)."""
    options = listed.options
    rate = None
    if not config.worker_disable_rate_limits:
        own = getattr(listed.task, "rate_limit", None)
        rate = parse_rate(config.task_default_rate_limit if own is None else own)
    return TaskRule(
        soft_limit=options.soft_time_limit or config.task_soft_time_limit,
        hard_limit=options.time_limit or config.task_time_limit,
        bucket=TokenBucket(rate) if rate is not None else None,
    )
