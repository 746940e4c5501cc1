"""Waiting for a result inside a task can block a pool for ever, so it is refused unless asked for (features.md 1.3)."""

from collections.abc import Iterator
from contextlib import contextmanager

from kernel.model.context import current, may_wait


def forbid_blocking() -> None:
    """Raise inside a running task.

    Raises:
        RuntimeError: with what to do instead.
    """
    if may_wait():
        return
    running = current.get()
    task = running.request.task if running is not None else None
    raise RuntimeError(
        f"Never call result.get() within a task! ({task or 'this task'} waits for another one, which "
        "may need the slot it holds.) Use a chain or a callback, or 'with allow_join_result():' where it is safe."
    )


@contextmanager
def allow_join_result() -> Iterator[None]:
    """Allow ``get()`` in the enclosed block of a task, as in one-argument errbacks (features.md 1.2)."""
    running = current.get()
    if running is None:
        yield
        return
    token = current.set(running._replace(may_wait=True))
    try:
        yield
    finally:
        current.reset(token)


@contextmanager
def denied_join_result() -> Iterator[None]:
    """Forbid ``get()`` again, in a block inside one where it is allowed."""
    running = current.get()
    if running is None:
        yield
        return
    token = current.set(running._replace(may_wait=False))
    try:
        yield
    finally:
        current.reset(token)
