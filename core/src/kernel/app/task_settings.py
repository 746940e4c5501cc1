"""From a task's attributes, annotations and settings to the frozen options everything else reads (features.md 1.18)."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, cast

from kernel.engine.argcheck import ArgumentCheck, argument_check
from kernel.errors import ImproperlyConfigured
from kernel.errors.near import did_you_mean
from kernel.model.config import Config
from kernel.model.options import CallOptions, TaskOptions

FROM_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "serializer": ("task_serializer",),
    "compression": ("task_compression",),
    "rate_limit": ("task_default_rate_limit",),
    "track_started": ("task_track_started",),
    "acks_late": ("task_acks_late",),
    "acks_on_failure": ("task_acks_on_failure", "task_acks_on_failure_or_timeout"),
    "acks_on_timeout": ("task_acks_on_timeout", "task_acks_on_failure_or_timeout"),
    "reject_on_worker_lost": ("task_reject_on_worker_lost",),
    "ignore_result": ("task_ignore_result",),
    "store_errors_even_if_ignored": ("task_store_errors_even_if_ignored",),
}
"""Attributes that are None until the first of these settings that is not None gives them a value."""

EXECUTION = (
    "queue", "exchange", "routing_key", "priority", "expires", "serializer", "delivery_mode", "compression",
    "time_limit", "soft_time_limit", "ignore_result",
)  # fmt: skip
"""Attributes that are options of every call of the task."""

HANDLERS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")
"""The methods of features.md 1.19."""

_BOTH = "acks_on_failure_or_timeout"
_FROZEN = tuple(field.name for field in fields(TaskOptions))


class Described(Protocol):
    """What is read of a task here."""

    name: str
    typing: bool
    bind: bool

    @property
    def run(self) -> Callable[..., Any]:
        """The body."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a task looks up once per configuration instead of once per call.

    Attributes:
        config: the settings it holds for.
        options: the frozen options.
        call: execution options of every call.
        check: tells whether arguments fit; None when that is off.
        eager: calls run here (``task_always_eager``).
        wrapped: ``__call__`` is the body, as a subclass put it around ``run``.
        shadowed: ``shadow_name`` is to be asked.
        handlers: some handler is to be called.
    """

    config: Config
    options: TaskOptions
    call: CallOptions
    check: ArgumentCheck | None
    eager: bool
    wrapped: bool
    shadowed: bool
    handlers: bool


def prepare(task: Described, config: Config, overrides: Callable[[str], bool]) -> Prepared:
    """Apply annotations and settings to a task's attributes, and freeze them.

    Args:
        task: the task.
        config: the effective settings.
        overrides: whether a method of ``Task`` was replaced by a subclass, an option or an annotation.

    Raises:
        ImproperlyConfigured: for an annotation that cannot be applied, or options that contradict each other.
    """
    from_settings = _settle(task, config) - {"ignore_result"}  # that one a worker must not take from its own setting
    declared = [name for name in EXECUTION if name not in from_settings]
    call = {name: value for name in declared if (value := getattr(task, name)) is not None}
    checked = task.typing and config.strict_typing
    return Prepared(
        config=config,
        options=_freeze(task),
        call=cast(CallOptions, call),
        check=argument_check(getattr(task, "__wrapped__", task.run), bound=task.bind) if checked else None,
        eager=config.task_always_eager,
        wrapped=overrides("__call__"),
        shadowed=overrides("shadow_name"),
        handlers=any(overrides(name) for name in HANDLERS),
    )


def annotations_for(task: Described, config: Config) -> dict[str, Any]:
    """What ``task_annotations`` says of a task: ``'*'`` first, then its name, then objects asked in turn."""
    found: dict[str, Any] = {}
    for rule in _rules(config.task_annotations):
        if isinstance(rule, Mapping):
            found.update(rule.get("*") or {})
            found.update(rule.get(task.name) or {})
        elif callable(annotate := getattr(rule, "annotate", None)):
            found.update(annotate(task) or {})
        else:
            raise ImproperlyConfigured(
                f"task_annotations holds {rule!r:.80}, which is neither a mapping nor has a method 'annotate'",
                cure="Write it as {'proj.tasks.add': {'rate_limit': '10/m'}}.",
            )
    return found


def _rules(annotations: Any) -> Sequence[Any]:
    if not annotations:
        return ()
    return annotations if isinstance(annotations, (list, tuple)) else (annotations,)


def _settle(task: Described, config: Config) -> frozenset[str]:
    """Give the task what annotations and settings say, in place of what an earlier configuration gave.

    Returns:
        The attributes that got their value from a setting.
    """
    own = vars(task)
    earlier = own.get("_settled", frozenset())
    given = _annotated(task, annotations_for(task, config), earlier)
    defaults: dict[str, Any] = {}
    for name, settings in FROM_SETTINGS.items():
        if given.get(name, _declared(task, name, earlier)) is None:
            values = (_pair(task, name), *(getattr(config, setting) for setting in settings))
            defaults[name] = next((value for value in values if value is not None), None)
    given.update(defaults)
    for name in earlier - given.keys():
        own.pop(name, None)
    own.update(given, _settled=frozenset(given))
    return frozenset(defaults)


def _pair(task: Described, name: str) -> Any:
    """What the task says of failures and timeouts together, where ``name`` is one of the two."""
    return getattr(task, _BOTH) if name in {"acks_on_failure", "acks_on_timeout"} else None


def _annotated(task: Described, annotations: Mapping[str, Any], earlier: frozenset[str]) -> dict[str, Any]:
    """The attributes that annotations change: ``@name`` wraps a method, any other name sets a value."""
    given: dict[str, Any] = {}
    for name, value in annotations.items():
        plain = name.removeprefix("@")
        if not hasattr(task, plain):
            raise ImproperlyConfigured(
                f"task_annotations sets {name!r} of task {task.name}, which has no such attribute",
                cure=did_you_mean(plain, OPTION_NAMES) or "Use a task option or a method with '@' before it.",
            )
        given[plain] = value(_declared(task, plain, earlier)) if name.startswith("@") else value
    return given


def _declared(task: Described, name: str, earlier: frozenset[str]) -> Any:
    """An attribute as the task itself declares it, whatever an earlier configuration gave it."""
    if name not in earlier:
        return getattr(task, name)
    value = inspect.getattr_static(type(task), name)
    return value.__get__(task, type(task)) if hasattr(type(value), "__get__") else value


def _freeze(task: Described) -> TaskOptions:
    values = {name: getattr(task, name) for name in _FROZEN}
    for name in ("throws", "autoretry_for", "dont_autoretry_for"):
        values[name] = _exceptions(task, name, values[name])
    values["retry_backoff"] = float(values["retry_backoff"])
    hard, soft = values["time_limit"], values["soft_time_limit"]
    if hard is not None and soft is not None and soft > hard:
        raise ValueError(f"soft_time_limit={soft} of task {task.name} is above its time_limit={hard}")
    return TaskOptions(**values)


def _exceptions(task: Described, option: str, value: Any) -> tuple[type[BaseException], ...]:
    listed = value if isinstance(value, (list, tuple, set, frozenset)) else (value,) if value else ()
    for kind in listed:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ImproperlyConfigured(
                f"{option} of task {task.name} must hold exception classes, got {kind!r:.80}",
                cure=f"Write {option}=(OSError,).",
            )
    return tuple(listed)


OPTION_NAMES: tuple[str, ...] = (
    *dict.fromkeys((
        "name", "bind", "base", *_FROZEN, *EXECUTION, *FROM_SETTINGS, "typing", "trail", "Request", "rate_limit", _BOTH,
    )),
)  # fmt: skip
"""Every option of ``@app.task``."""

SETTABLE = frozenset({*OPTION_NAMES, *HANDLERS, "run", "shadow_name"})
"""Attributes of a task whose change takes effect with the next call."""


def reject_unknown_options(options: Mapping[str, Any], base: type) -> None:
    """Options must be attributes that the task's base class has (features.md 1.18).

    Raises:
        TypeError: for a name that neither the kernel nor ``base`` knows.
    """
    for name in options:
        if not hasattr(base, name):
            hint = did_you_mean(name, OPTION_NAMES) or f"Declare it as an attribute of {base.__name__}."
            raise TypeError(f"Unknown task option {name!r}. {hint}")
