"""Revoking by a result: methods of ``AsyncResult`` and ``GroupResult`` (features.md 1.3, 2.5)."""

from collections.abc import Mapping
from typing import Any

from kernel.model.control import Reply


def revoke(
    result: Any,
    connection: Any = None,
    terminate: bool = False,
    signal: str | int | None = None,
    wait: bool = False,
    timeout: float | None = None,
) -> list[Reply] | None:
    """Have workers discard it, or all tasks of a group, instead of running them.

    Args:
        result: of one task or of a group.
        connection: of no use here, and accepted from callers that pass one everywhere.
        terminate: also end the executor of a task that runs.
        signal: with this signal, by default TERM.
        wait: wait for the answers of workers, and return them.
        timeout: seconds to wait for them, by default 1.
    """
    ids = [leaf.id for leaf in result.leaves()] if hasattr(result, "leaves") else result.id
    signal = "SIGTERM" if signal is None else signal
    replies: list[Reply] | None = result.app.control.revoke(
        ids, terminate=terminate, signal=signal, connection=connection, reply=wait, timeout=timeout
    )
    return replies


def terminate(result: Any, **options: Any) -> list[Reply] | None:
    """:func:`revoke` with ``terminate=True``."""
    return revoke(result, **{**options, "terminate": True})


def revoke_by_stamped_headers(  # noqa: PLR0913 - a method with the documented parameters
    result: Any,
    headers: Mapping[str, Any],
    connection: Any = None,
    terminate: bool = False,
    signal: str | int | None = None,
    wait: bool = False,
    timeout: float | None = None,
) -> list[Reply] | None:
    """As :func:`revoke`, for every task that carries one of these stamps: header → value, or list of values."""
    signal = "SIGTERM" if signal is None else signal
    replies: list[Reply] | None = result.app.control.revoke_by_stamped_headers(
        headers, terminate=terminate, signal=signal, connection=connection, reply=wait, timeout=timeout
    )
    return replies
