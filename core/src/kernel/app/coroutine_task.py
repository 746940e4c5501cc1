"""How a type checker sees a task whose function is ``async def``."""

from collections.abc import Coroutine
from typing import Any, ParamSpec, TypeVar

from kernel.app.task import Task

P = ParamSpec("P")
R = TypeVar("R")


class CoroutineTask(Task[P, R]):
    """How the type checker sees a task whose function is ``async def``: called directly, it gives a coroutine."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:  # type: ignore[override] # only this differs
        """Run the body here and now."""
        return super().__call__(*args, **kwargs)  # type: ignore[return-value] # run() of such a task gives a coroutine
