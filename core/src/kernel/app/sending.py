"""``app.send_task()``: a call by name."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from kernel.app.ports import App
from kernel.app.result import AsyncResult
from kernel.app.task_calls import adopt, check_arguments, make_call, producer_of
from kernel.errors.warnings import AlwaysEagerIgnored
from kernel.model.options import CallOptions


def send_task(
    app: App,
    name: str,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> AsyncResult[Any]:
    """Send a task by name, registered here or not; options as in :meth:`Task.apply_async`."""
    if app.config.task_always_eager:
        warnings.warn(
            f"task_always_eager has no effect on send_task({name!r}): a message is sent",
            AlwaysEagerIgnored,
            stacklevel=2,
        )
    call = make_call(name, *check_arguments(args, kwargs), options, app.config)
    (producer_of(options) or app.pool).publish((call,))
    adopt([[call.id, None], None], options)
    task = app.tasks.get(name)
    ignored = call.options.get("ignore_result", task.ignore_result if task is not None else None)
    return AsyncResult(call.id, app, ignored=bool(ignored))
