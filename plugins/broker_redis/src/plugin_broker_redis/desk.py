"""What the parts of one broker share."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.contracts import BrokerCaps, PluginContext
from kernel.contracts.simple import Natives
from kernel.errors import Code, DriverError
from plugin_broker_redis.names import TOP_PRIORITY, Names
from plugin_common_redis import CODES, Address, Connector, key_prefix

CELERY = "celery"
"""The namespace of Celery's own names; there 0 is the most urgent priority, as Celery's workers have it on Redis."""

GRACE_S = 3600.0
"""With that namespace workers go by the header ``expires``, as Celery's do on Redis, and tell who waits for the result
that the task is revoked. A message that was dropped here would leave it pending for ever."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings and helpers, none of which change.

    Attributes:
        address: where the server is.
        names: of keys and channels.
        connector: makes connections.
        natives: translates exceptions.
        clock: Unix time in seconds.
        caps: what the broker claims.
        visibility_s: how old an entry of ``unacked_index`` is when it is restored; shared by all clients of a database.
        lease_s: seconds a delivery stays hidden, for queues that do not say.
        window_s: seconds a deduplication id is remembered.
        grace_s: how long beyond its own time to live a message is delivered.
        patience_s: how long ``receive`` bears a server that says nothing, beyond the time it was given.
    """

    address: Address
    names: Names
    connector: Connector
    natives: Natives
    clock: Callable[[], float]
    caps: BrokerCaps
    visibility_s: float
    lease_s: float
    window_s: float
    patience_s: float
    grace_s: float = 0.0


def make_desk(address: Address, options: Mapping[str, Any], ctx: PluginContext, caps: BrokerCaps) -> Desk:
    """Read the options.

    Raises:
        DriverError: INVALID for one that is out of range.
    """
    celery = ctx.namespace == CELERY
    prefix, tag = key_prefix(address, ctx.namespace, options["global_keyprefix"] or "")
    steps = _steps(options["priority_steps"] or ((0, 3, 6, 9) if celery else range(TOP_PRIORITY + 1)))
    zero_first = celery if options["priority_zero_first"] is None else options["priority_zero_first"]
    seconds = {
        name: _seconds(name, options[name])
        for name in ("visibility_timeout", "lease_s", "dedup_window_s", "socket_timeout")
    }
    return Desk(
        address,
        Names(prefix, address.db, steps, zero_first),
        Connector(address, tag),
        Natives(address.name, CODES, address.secrets),
        ctx.clock or time.time,
        caps,
        seconds["visibility_timeout"],
        seconds["lease_s"],
        seconds["dedup_window_s"],
        seconds["socket_timeout"],
        GRACE_S if celery else 0.0,
    )


def _steps(given: Any) -> tuple[int, ...]:
    steps = tuple(given)
    good = all(type(step) is int and 0 <= step <= TOP_PRIORITY for step in steps)
    if not good or not steps or steps[0] != 0 or list(steps) != sorted(set(steps)):
        raise DriverError(
            Code.INVALID,
            f"priority_steps={given!r} is no list of growing numbers from 0 to {TOP_PRIORITY} that begins with 0",
            cure="Write what all clients of the database have; Celery's default is [0, 3, 6, 9].",
        )
    return steps


def _seconds(name: str, value: Any) -> float:
    if not 0 < value < float("inf"):
        raise DriverError(Code.INVALID, f"{name}={value!r} is no positive number of seconds", cure="Correct it.")
    return float(value)
