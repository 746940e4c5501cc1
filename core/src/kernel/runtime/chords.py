"""What the built-in tasks do for chords: ask again, end one whose results were looked at, or give one up."""

from collections.abc import Mapping, Sequence
from typing import Any

from kernel.engine.attempt import RunnableTask
from kernel.engine.falling import Membership
from kernel.engine.parts import Part
from kernel.engine.plan import Setting
from kernel.errors import KernelError
from kernel.model.context import Request
from kernel.runtime.boot import Services
from kernel.runtime.joiner import Joiner
from kernel.runtime.store import Store


class Chords:
    """Ends chords on behalf of a running built-in task.

    Args:
        services: drivers and records.
        tasks: the registry.
        request: the run of the built-in task.
    """

    def __init__(self, services: Services, tasks: Mapping[str, RunnableTask], request: Request) -> None:
        setting = Setting(services.records, tasks, services.node)
        self._joiner = Joiner(services, services.joins, Store(services), setting)
        self._request = request

    def again(self, key: str, index: int | None, task_id: str, body: Mapping[str, Any]) -> None:
        """Report a member once more: if the claim on its complete chord is over, act on it."""
        self._joiner.report([Part(Membership(key, index, task_id, body, self._request), b"")])

    def end(self, key: str, body: Mapping[str, Any], members: Sequence[tuple[str, str, Any]]) -> None:
        """Start the body, or let it fail, for members given as id, state and result or exception."""
        self._joiner.end(self._place(key, body), members)

    def fail(self, key: str, body: Mapping[str, Any], error: KernelError) -> None:
        """Give the chord up."""
        self._joiner.fail(self._place(key, body), error)

    def _place(self, key: str, body: Mapping[str, Any]) -> Membership:
        return Membership(key, None, key, body, self._request)
