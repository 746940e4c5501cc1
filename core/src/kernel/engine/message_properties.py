"""The properties of a task message beside its headers (wire.md 1.2): what is given to the broker itself."""

from kernel.contracts.capabilities import BrokerCaps
from kernel.engine.timing import Timing
from kernel.model.config import Config
from kernel.model.options import CallOptions

EXPIRY_GRACE_S = 3600.0
"""How much longer than ``expires`` a broker keeps a message whose result somebody may wait for.

A broker that drops it at the very moment leaves the result PENDING for ever; with the grace a worker that comes late
finds it and stores REVOKED. A call that ignores its result is dropped on time, and so is every one in the namespace of
Celery, whose messages say the moment itself.
"""

MAX_PRIORITY = 255

_PERSISTENT = frozenset({2, "2", "persistent"})
_TRANSIENT = frozenset({1, "1", "transient"})


def speaks_celery(config: Config) -> bool:
    """Whether messages are to look as Celery's do, to the last property."""
    return config.namespace == "celery"


def priority_of(options: CallOptions, config: Config) -> int | None:
    """The priority; Celery writes 0 when none is given.

    Raises:
        ValueError: for anything but a whole number in range.
    """
    priority = options.get("priority")
    if priority is None:
        default = config.task_default_priority
        return 0 if default is None and speaks_celery(config) else default
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= MAX_PRIORITY:
        raise ValueError(f"priority must be a whole number from 0 to {MAX_PRIORITY}, not {priority!r}")
    return priority


def delay_of(timing: Timing, caps: BrokerCaps) -> float | None:
    """What the broker shall wait; for the rest, and without the capability, the worker goes by the header."""
    if not timing.delay_s or not caps.delay:
        return None
    longest = caps.limits.max_delay_s
    return timing.delay_s if longest is None else min(timing.delay_s, longest)


def ttl_of(timing: Timing, ignore_result: bool | None, config: Config) -> float | None:
    """Seconds after which the broker may drop the message."""
    if timing.left_s is None:
        return None
    return timing.left_s if ignore_result or speaks_celery(config) else timing.left_s + EXPIRY_GRACE_S


def persistent(mode: int | str | None, config: Config) -> bool:
    """Whether the message is to survive a restart of the broker.

    Raises:
        ValueError: for an unknown mode.
    """
    mode = config.task_default_delivery_mode if mode is None else mode
    if mode in _PERSISTENT:
        return True
    if mode in _TRANSIENT:
        return False
    raise ValueError(f"delivery_mode must be 2 ('persistent') or 1 ('transient'), not {mode!r}")
