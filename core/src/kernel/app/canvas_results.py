"""The results that a canvas will have (features.md 2.1)."""

from typing import Any

from kernel.app.group_result import GroupResult
from kernel.app.ports import App
from kernel.app.result import AsyncResult
from kernel.model.nodes import Kind, Node, kind_of
from kernel.model.tail import tasks_of


def result_of(node: Node, app: App, parent: Any = None) -> Any:
    """The result of a frozen node: each knows the one before it as its ``parent``."""
    match kind_of(node):
        case Kind.CHAIN:
            for step in tasks_of(node):
                parent = result_of(step, app, parent)
            return parent
        case Kind.GROUP:
            members = [result_of(member, app) for member in tasks_of(node)]
            return GroupResult(node["options"]["task_id"], members, app, parent)
        case Kind.CHORD:
            parts = node["kwargs"]
            return result_of(parts["body"], app, result_of(parts["header"], app, parent))
        case Kind.TASK:
            options = node["options"]
            ignored = bool(options.get("ignore_result"))
            return AsyncResult(options["task_id"], app, parent=parent, ignored=ignored)
