"""Eager results of whole canvases."""

from collections.abc import Mapping
from typing import Any

from kernel.app.eager import EagerResult
from kernel.app.group_result import GroupResult
from kernel.app.result import AsyncResult

AnyResult = AsyncResult[Any] | GroupResult


def collected(result: AnyResult, outcomes: Mapping[str, Any]) -> Any:
    """The eager form of a result, with the results of its members and parents."""
    if isinstance(result, GroupResult):
        return GroupResult(result.id, [collected(each, outcomes) for each in result.results], result.app)
    if result.id not in outcomes:  # a step before it failed, so it never ran: that is the chain's outcome
        parent = collected(result.parent, outcomes) if result.parent is not None else None
        return EagerResult(result.id, result.app, parent.outcome) if parent is not None else result
    eager: EagerResult[Any] = EagerResult(result.id, result.app, outcomes[result.id])
    eager.parent = collected(result.parent, outcomes) if result.parent is not None else None
    return eager
