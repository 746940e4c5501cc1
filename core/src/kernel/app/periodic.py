"""``app.add_periodic_task()``: an entry of ``beat_schedule`` from a signature (features.md 2.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kernel.app.settings import Settings
from kernel.app.signature import Signature, signature


class Scheduled(Protocol):
    """An application, as far as its settings."""

    conf: Settings


def add_periodic_task(
    app: Scheduled,
    schedule: Any,
    sig: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    **opts: Any,
) -> str:
    """Have beat send a task again and again; best called by a receiver of ``app.on_after_configure``.

    Args:
        app: the application; as a method, its own.
        schedule: seconds, a timedelta, or a schedule such as ``crontab(hour=7, minute=30)``.
        sig: a signature such as ``add.s(2, 2)``, a task, or the name of one.
        args: arguments in front of those of the signature.
        kwargs: more keyword arguments.
        name: of the entry; None is the signature as text. An entry of the same name is replaced.
        opts: execution options, such as ``expires=10`` or ``queue='hipri'``.

    Returns:
        The name of the entry.

    Raises:
        ImproperlyConfigured: for something that is no schedule.
    """
    if isinstance(sig, Signature):
        call = sig.clone(args, dict(kwargs or {}))
    else:
        call = signature(getattr(sig, "name", sig), args=tuple(args), kwargs=dict(kwargs or {}), app=app)
    key = name or repr(call)
    entry = {
        "task": call["task"],
        "schedule": schedule,
        "args": tuple(call["args"]),
        "kwargs": dict(call["kwargs"]),
        "options": {**call["options"], **opts},
    }
    app.conf.put_key("beat_schedule", key, entry)
    return key
