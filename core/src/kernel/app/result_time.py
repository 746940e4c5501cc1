"""Waiting for results until a point in time (features.md 1.3)."""

from time import monotonic

from kernel.app.ports import Results
from kernel.errors import BackendError
from kernel.errors import TimeoutError as TaskTimeoutError

FOREVER_S = 3600.0
"""Longest single wait."""
LOOK_S = 5.0
"""Longest read of the states of the steps before."""
GLIMPSE_S = 0.5
"""Longest read of the state that a timeout tells."""


def left(end: float | None, most: float) -> float:
    """Seconds until ``end``, at most ``most``."""
    return most if end is None else max(0.0, min(most, end - monotonic()))


def check_time(results: Results, task_id: str, end: float | None) -> None:
    """Whether there is time left.

    Raises:
        TimeoutError: with the state of the task, when there is none.
    """
    if end is None or monotonic() < end:
        return
    try:
        (meta,) = results.fetch([task_id], GLIMPSE_S)
        state = f"its state is {meta.status}"
    except BackendError as error:
        state = f"its state is not known: {error}"
    raise TaskTimeoutError(f"The result of task {task_id} was not there in time; {state}")
