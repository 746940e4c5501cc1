"""Eager results of whole canvases."""

from collections.abc import Mapping
from typing import Any

from kernel.app.eager import EagerResult, result_of
from kernel.app.group_result import GroupResult
from kernel.app.result import AsyncResult

AnyResult = AsyncResult[Any] | GroupResult


def collected(result: AnyResult, outcomes: Mapping[str, Any]) -> Any:
    """The eager form of a result, with the results of its members and parents."""
    parent = collected(result.parent, outcomes) if result.parent is not None else None
    if isinstance(result, GroupResult):
        members = [collected(each, outcomes) for each in result.results]
        return GroupResult(result.id, members, result.app, parent)
    outcome = outcomes.get(result.id)
    if outcome is not None:
        eager = result_of(result.app, result.id, outcome)
    elif isinstance(parent, EagerResult):  # what never ran ends as the step before it
        eager = EagerResult(result.id, parent.result, parent.state, parent.traceback, app=result.app)
    else:
        return result
    eager.parent = parent
    return eager
