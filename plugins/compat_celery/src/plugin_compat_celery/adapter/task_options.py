"""Options of ``@app.task`` that Celery has and the kernel spells differently, or needs no more."""

from collections.abc import Mapping
from typing import Any

from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.utils.imports import symbol_by_name

_NEEDLESS = frozenset({"lazy", "shared", "abstract", "accept_magic_kwargs"})
"""What they ask for is so in any case: a task is made at once, and belongs to the application it was defined with."""

_REFUSED: Mapping[str, str] = {
    "filter": "wrap the function before it becomes a task",
    "Strategy": "write a Task.Request class for what happens when a message is received",
    "pydantic": "validate in the body, model_validate(), and return model_dump()",
}


def with_attributes(options: Mapping[str, Any], base: type) -> dict[str, Any]:
    """The same where every option is an attribute of the base class: others are put on a class derived from it.

    Args:
        options: as the kernel takes them.
        base: the base class when they name none.
    """
    kind = options.get("base") or base
    own = {name: value for name, value in options.items() if name != "base" and not hasattr(kind, name)}
    if not own:
        return dict(options)
    rest = {name: value for name, value in options.items() if name not in own}
    return {**rest, "base": type(kind.__name__, (kind,), {"__module__": kind.__module__, **own})}


def translated(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the kernel takes them.

    Raises:
        ImproperlyConfigured: for one that has no counterpart.
    """
    given = {name: value for name, value in options.items() if name not in _NEEDLESS}
    for name, cure in _REFUSED.items():
        if given.pop(name, None):
            raise ImproperlyConfigured(f"The task option {name!r} has no counterpart in kernel.", cure=f"{cure}.")
    if given.pop("retry_on_worker_lost", None):  # the kernel counts deliveries, so that this cannot go on for ever
        given.setdefault("reject_on_worker_lost", True)
    if "base" in given:
        given["base"] = symbol_by_name(given["base"])
    return given
