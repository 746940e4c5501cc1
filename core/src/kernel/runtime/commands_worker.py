"""Commands of remote control that change a worker (wire.md 12)."""

import logging
from typing import Any

from kernel.engine.autoscale import Bounds
from kernel.runtime.panel import control_command
from kernel.runtime.panel_state import PanelState
from kernel.runtime.shutdown import Level

logger = logging.getLogger("kernel.worker")

Answer = dict[str, str]


@control_command(args=[("n", int)], signature="[N=1]")
def pool_grow(state: PanelState, n: int = 1, **_rest: Any) -> Answer:
    """Have N executors more."""
    return _resized(state, _count(n), "pool will grow")


@control_command(args=[("n", int)], signature="[N=1]")
def pool_shrink(state: PanelState, n: int = 1, **_rest: Any) -> Answer:
    """Have N executors fewer; busy ones go when they have finished."""
    return _resized(state, -_count(n), "pool will shrink")


@control_command(args=[("max", int), ("min", int)], signature="[max [min]]")
def autoscale(state: PanelState, max: int | None = None, min: int | None = None, **_rest: Any) -> Answer:  # noqa: A002 - the names on the wire
    """Change the fewest and the most executors of a worker that was started with --autoscale."""
    scaler = state.parts.scaler
    if scaler.bounds is None:
        return {"error": "this worker does not scale by itself (--autoscale)"}
    least, most = scaler.bounds
    try:
        bounds = Bounds.of(least if min is None else _count(min), most if max is None else _count(max))
    except ValueError as error:
        return {"error": str(error)}
    scaler.bind(bounds)
    return {"ok": f"autoscale now max={bounds.most} min={bounds.least}"}


@control_command()
def heartbeat(state: PanelState, **_rest: Any) -> Answer:
    """Publish a heartbeat now."""
    heart = state.parts.heart
    if heart is None:
        return {"error": "this worker sends no heartbeats (--without-heartbeat)"}
    heart.beat()
    return {"ok": "heartbeat sent"}


@control_command()
def enable_events(state: PanelState, **_rest: Any) -> Answer:
    """Publish task events."""
    changed = state.parts.desk.tell.switch(on=True)
    return {"ok": "task events enabled" if changed else "task events already enabled"}


@control_command()
def disable_events(state: PanelState, **_rest: Any) -> Answer:
    """Publish no task events."""
    changed = state.parts.desk.tell.switch(on=False)
    return {"ok": "task events disabled" if changed else "task events already disabled"}


@control_command()
def shutdown(state: PanelState, **_rest: Any) -> Answer:
    """Finish what runs, and end."""
    logger.warning("Shutdown was asked for by remote control.")
    state.parts.shutdown.request(Level.WARM)
    return {"ok": "shutting down"}


def _resized(state: PanelState, more: int, done: str) -> Answer:
    pool = state.parts.pool
    if state.parts.scaler.bounds is not None:
        return {"error": "the size follows --autoscale: change its bounds with the command autoscale"}
    if not pool.capabilities().resize:
        return {"error": f"The pool {pool.name!r} cannot change its size."}
    size = int(str(pool.stats()["max-concurrency"])) + more
    if size < 1:
        return {"error": "the pool keeps at least one executor"}
    try:
        pool.resize(size)
    except ValueError as error:
        return {"error": str(error)}
    state.parts.inbox.poke()
    return {"ok": done}


def _count(value: object) -> int:
    """How many.

    Raises:
        ValueError: for anything but a number from 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"n must be a number from 1, not {value!r:.80}")
    return value
