"""From the arguments of ``apply_async`` to a :class:`~kernel.model.call.Call` (features.md 1.1)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from kernel.app.task_ids import new_id
from kernel.errors.near import did_you_mean
from kernel.model.call import Call
from kernel.model.config import Config
from kernel.model.context import Request, current
from kernel.model.options import CallOptions

OPTIONS = frozenset(CallOptions.__annotations__)
_PRODUCERS = ("producer", "publisher", "connection")
_LINKS = ("link", "link_error")

_NO_KWARGS: Mapping[str, Any] = {}


def check_arguments(args: object, kwargs: object) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments of a call as a tuple and a mapping.

    Raises:
        TypeError: for anything that is not a list or tuple, and a mapping with text keys.
    """
    if args is None:
        args = ()
    elif not isinstance(args, (list, tuple)):
        raise TypeError(f"Task args must be a list or tuple, not {type(args).__name__}: write args=({args!r:.80},)")
    if kwargs is None:
        kwargs = _NO_KWARGS
    elif not isinstance(kwargs, Mapping):
        raise TypeError(f"Task kwargs must be a mapping, not {type(kwargs).__name__}: {kwargs!r:.80}")
    return tuple(args), kwargs


def make_call(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Mapping[str, Any], config: Config
) -> Call:
    """A call with a new id, unless it was given one, that knows which task called it.

    Args:
        name: the task.
        args: checked positional arguments.
        kwargs: checked keyword arguments.
        options: execution options as the caller wrote them; None means "not given".
        config: ``task_inherit_parent_priority`` is read.

    Raises:
        TypeError: for an unknown option, or a link that is no signature.
        ValueError: for time limits that contradict each other.
    """
    running = current.get()
    if not options and running is None:
        return Call(name, args, kwargs, new_id())
    chosen = {key: value for key, value in options.items() if value is not None}
    if not OPTIONS.issuperset(chosen):
        _unknown(name, chosen)
    for key in _PRODUCERS:
        chosen.pop(key, None)
    _check(chosen)
    if running is not None:
        _inherit(chosen, running.request, config)
    task_id = str(chosen.pop("task_id", None) or new_id())
    return Call(name, args, kwargs, task_id, cast(CallOptions, chosen))


def producer_of(options: Mapping[str, Any]) -> Any:
    """The producer or connection the caller gave for this call, or None."""
    return next((options[key] for key in _PRODUCERS if options.get(key) is not None), None) if options else None


def _unknown(name: str, options: Mapping[str, Any]) -> None:
    unknown = next(key for key in options if key not in OPTIONS)
    hint = f"{did_you_mean(unknown, OPTIONS)} Properties of the transport go into properties={{...}}.".lstrip()
    raise TypeError(f"Unknown option {unknown!r} of a call of {name}. {hint}")


def _check(options: dict[str, Any]) -> None:
    for key in _LINKS:
        linked = options.get(key)
        if linked is None:
            continue
        members = [linked] if isinstance(linked, Mapping) or not isinstance(linked, Sequence) else list(linked)
        for member in members:
            if not isinstance(member, Mapping):
                raise TypeError(f"{key} takes signatures such as add.s(16), not {member!r:.80}")
        options[key] = members
    hard, soft = options.get("time_limit"), options.get("soft_time_limit")
    if hard is not None and soft is not None and soft > hard:
        raise ValueError(f"soft_time_limit={soft} is above time_limit={hard}")


def _inherit(options: dict[str, Any], request: Request, config: Config) -> None:
    """A task called by a task belongs to the same workflow; a plain call in between changes nothing."""
    parent = request.id or request.parent_id
    if parent is None:
        return
    options.setdefault("parent_id", parent)
    options.setdefault("root_id", request.root_id or parent)
    priority = request.delivery_info.get("priority")
    if config.task_inherit_parent_priority and priority is not None:
        options.setdefault("priority", priority)


def adopt(form: list[Any], options: Mapping[str, Any]) -> None:
    """Note a result, as it travels, as a child of the task that runs here, for its result's ``children``."""
    running = current.get()
    if running is None or running.request.called_directly or options.get("add_to_parent") is False:
        return
    if getattr(running.task, "trail", True):
        running.request.children.append(form)
