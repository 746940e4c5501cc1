"""What the built-in tasks do for chords: ask again, end one whose results were looked at, or give one up."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.contracts.backend import CLAIM_S, Record, StoreMode
from kernel.contracts.deadline import Deadline
from kernel.engine.attempt import RunnableTask
from kernel.engine.falling import Membership
from kernel.engine.parts import Part
from kernel.engine.plan import Setting
from kernel.errors import KernelError
from kernel.model import states
from kernel.model.context import Request
from kernel.runtime.boot import Services
from kernel.runtime.joiner import Joiner
from kernel.runtime.store import Store

MARK = "chord:{}"
"""Id of the record that says who ends a chord whose members are looked at."""
_CALL_S = 10.0


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
        self._services = services

    def again(self, key: str, index: int | None, task_id: str, body: Mapping[str, Any]) -> None:
        """Report a member once more: if the claim on its complete chord is over, act on it."""
        self._joiner.report([Part(Membership(key, index, task_id, body, self._request), b"")])

    def end(self, key: str, body: Mapping[str, Any], members: Sequence[tuple[str, str, Any]]) -> bool:
        """Start the body, or let it fail, for members given as id, state and result or exception.

        Where no join says who does it, a record does: it is claimed first and finished afterwards, so that of two that
        look at once one acts, and another one later if that one died.

        Returns:
            Whether it is done; False when somebody else has claimed it.
        """
        backend = self._services.backend
        if backend is None:
            return True
        mark, now, deadline = MARK.format(key), time.time(), Deadline.after(_CALL_S)
        ttl_s = self._services.records.ttl_s
        (known,) = backend.fetch([mark], deadline)
        if known is not None and known.ready:
            return True
        mode = StoreMode.IF_ABSENT
        if known is not None:
            if now - float(known.result or 0) < CLAIM_S:
                return False
            mode = StoreMode.UPSERT
        (claimed,) = backend.store([Record(mark, states.STARTED, str(now).encode(), ttl_s=ttl_s)], mode, deadline)
        if not claimed.stored:
            return False
        self._joiner.end(self._place(key, body), members)
        backend.store([Record(mark, states.SUCCESS, str(now).encode(), ttl_s=ttl_s)], StoreMode.UPSERT, deadline)
        return True

    def fail(self, key: str, body: Mapping[str, Any], error: KernelError) -> None:
        """Give the chord up."""
        self._joiner.fail(self._place(key, body), error)

    def _place(self, key: str, body: Mapping[str, Any]) -> Membership:
        return Membership(key, None, key, body, self._request)
