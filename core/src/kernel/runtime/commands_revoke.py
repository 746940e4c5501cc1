"""Commands of remote control that stop tasks (wire.md 12)."""

import logging
import signal as signals
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.engine.revoked import is_task_id
from kernel.runtime.ledger import Entry
from kernel.runtime.panel import control_command
from kernel.runtime.panel_state import PanelState

logger = logging.getLogger("kernel.worker")

_IDS = "[id1 [id2 [... [idN]]]]"
Answer = dict[str, Any]


@control_command(variadic="task_id", signature=_IDS)
def revoke(
    state: PanelState,
    task_id: str | Sequence[str],
    terminate: bool = False,
    signal: str | int | None = None,
    **_rest: Any,
) -> Answer:
    """Do not run these tasks."""
    ids = _texts(task_id)
    number = signal_number(signal)
    revoking = state.parts.revoking
    entries = revoking.entries(ids)
    revoking.revoke(ids)
    if terminate:
        return _terminated(state, entries, number, "tasks unknown")
    logger.info("Tasks flagged as revoked: %s", ", ".join(ids))
    return {"ok": f"tasks {', '.join(ids)} flagged as revoked"}


@control_command(args=[("signal", str)], variadic="task_id", signature=f"<signal> {_IDS}")
def terminate(state: PanelState, signal: str | int, task_id: str | Sequence[str], **_rest: Any) -> Answer:
    """Do not run these tasks, and end the executors of those that run with a signal."""
    return revoke(state, task_id, terminate=True, signal=signal)


@control_command(variadic="headers", signature="[key1=value1 [key2=value2 [... [keyN=valueN]]]]")
def revoke_by_stamped_headers(
    state: PanelState,
    headers: Mapping[str, Any] | Sequence[str],
    terminate: bool = False,
    signal: str | int | None = None,
    **_rest: Any,
) -> Answer:
    """Do not run tasks that carry one of these stamps."""
    stamps = _stamps(headers)
    number = signal_number(signal)
    revoking = state.parts.revoking
    entries = revoking.stamped(stamps)
    revoking.revoke_stamps(stamps)
    if terminate:
        return _terminated(state, entries, number, f"no task with headers {stamps}")
    logger.info("Stamps flagged as revoked: %s", stamps)
    return {"ok": f"headers {stamps} flagged as revoked, but not terminated"}


def signal_number(signal: str | int | None) -> int:
    """The number of a signal given by name, with or without SIG, or by number; TERM when none is given.

    Raises:
        ValueError: there is no such signal.
    """
    if signal is None:
        return signals.SIGTERM
    text = str(signal).strip().upper()
    try:
        return signals.Signals(int(text)) if text.isdecimal() else signals.Signals[f"SIG{text.removeprefix('SIG')}"]
    except (KeyError, ValueError):
        raise ValueError(f"There is no signal {signal!r}. Use a name such as TERM or KILL.") from None


def _terminated(state: PanelState, entries: Sequence[Entry], number: int, nothing: str) -> Answer:
    if not entries:
        return {"ok": f"terminate: {nothing}"}
    pool = state.parts.pool
    ended = state.parts.revoking.terminate(entries, number)
    if not ended and not pool.capabilities().terminate:
        return {"error": f"The pool {pool.name!r} cannot end a running task; use prefork: {_ids(entries)}"}
    left = [entry for entry in entries if entry not in ended]
    if left:
        return {"error": f"terminate: {_ids(ended) or 'none'}; these run on, try again: {_ids(left)}"}
    return {"ok": f"terminate: {_ids(ended)}"}


def _ids(entries: Sequence[Entry]) -> str:
    return ", ".join(entry.run.id for entry in entries)


def _texts(value: object) -> list[str]:
    """One id or several.

    Raises:
        ValueError: for anything else.
    """
    ids = [value] if isinstance(value, str) else value
    if not isinstance(ids, (list, tuple, set)) or not ids or not all(is_task_id(each) for each in ids):
        raise ValueError(f"Task ids must be one text or a list of them, not {value!r:.80}")
    return list(dict.fromkeys(ids))


def _stamps(headers: object) -> dict[str, Any]:
    """Stamps as given: a mapping, or texts such as ``key=value``.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(headers, Mapping) and headers:
        return {str(name): value for name, value in headers.items()}
    if (
        isinstance(headers, (list, tuple))
        and headers
        and all(isinstance(each, str) and "=" in each for each in headers)
    ):
        pairs = [each.split("=", 1) for each in headers]
        return {name: [value for other, value in pairs if other == name] for name, _ in pairs}
    raise ValueError(f"Stamps must be given by name, or as texts key=value, not {headers!r:.80}")
