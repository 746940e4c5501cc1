"""A request of one's own for a task, so that its body can be tried without a message."""

from typing import Any

from kernel.model import context


def push_request(task: Any, **fields: Any) -> None:
    """Let ``task.request`` be a request of these attributes here, until :func:`pop_request`.

    For tests of a body that looks at its request: ``task.push_request(id="1", retries=3)``, then ``task.run()``.

    Raises:
        TypeError: for something that is no attribute of a request.
    """
    pushed = vars(task).setdefault("_pushed", [])
    pushed.append(context.current.set(context.Running(task, context.Request(**fields))))


def pop_request(task: Any) -> None:
    """Undo the last :func:`push_request`; in the same thread.

    Raises:
        IndexError: there was none.
    """
    context.current.reset(vars(task).get("_pushed", []).pop())
