"""``ResultSet``: results that came from anywhere, waited for together (features.md 2.1)."""

from collections.abc import Sequence
from typing import Any

from kernel.app.group_result import GroupResult
from kernel.app.ports import App
from kernel.app.task_ids import new_id


class ResultSet(GroupResult):
    """Results without a group; the same methods, of which ``save`` and ``delete`` use an id of its own.

    Args:
        results: the results.
        app: the application; None is the current one.
        ready_barrier: of Celery's own use; must be None.
    """

    def __init__(self, results: Sequence[Any], app: App | None = None, ready_barrier: None = None) -> None:
        if ready_barrier is not None:
            raise TypeError("ResultSet: ready_barrier is not supported; wait with get() or iterate()")
        super().__init__(new_id(), results, app)
