"""Where chords count their members: the joins of the result backend (contract ``result_backend/1``; wire.md 11)."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar, cast
from uuid import NAMESPACE_OID, uuid5

from kernel.contracts.backend import JoinState, ResultBackend, StoreMode
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.engine.parts import Part
from kernel.engine.records import seconds
from kernel.errors import DriverError, ResultsDisabled
from kernel.model.call import Call
from kernel.model.canvas import Expected, ResultForm
from kernel.model.config import Config
from kernel.model.options import CallOptions
from kernel.runtime.reply_backend import ReplyBackend

T = TypeVar("T")

UNLOCK = "celery.chord_unlock"
"""The built-in task that looks at the members' results where the backend cannot join (wire.md 11.4)."""

_CALL_S, _BRIEF_S = 10.0, 2.0
"""Deadline of one call of the backend; the second for those who try again by themselves, and wait for nothing."""


class Joins(Protocol):
    """What starting and ending chords needs."""

    def expect(self, joins: Sequence[Expected]) -> list[Call]:
        """Announce chords before their members are sent; calls to be sent with them."""

    def report(self, part: Part) -> JoinState | None:
        """Report a member; None where somebody else looks for it."""

    def joined(self, key: str) -> None:
        """The chord has ended: its body was sent, or marked as failed."""

    def header(self, key: str) -> ResultForm | None:
        """The results of a header as its client saved them; None when it did not."""

    def once(self, calls: Sequence[Call]) -> list[Call]:
        """The calls of a body, so marked that the broker keeps one of each however often they are sent, if it can."""


class Joining(Protocol):
    """What is needed around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def config(self) -> Config:
        """The effective settings."""

    @property
    def backend(self) -> ResultBackend | None:
        """The open result backend, None when results are off."""

    @property
    def broker_caps(self) -> BrokerCaps:
        """What the broker can do."""


class BackendJoins:
    """Joins of the configured result backend, patient as its settings say.

    Args:
        services: the result backend, opened when first needed.
        patient: retry what failed for a passing reason, with the settings of ``result_backend_always_retry``; False
            raises at once, for those who try again by themselves.
    """

    def __init__(self, services: Joining, *, patient: bool = True) -> None:
        config = services.config
        self._services = services
        self._call_s = _CALL_S if patient else _BRIEF_S
        self._retries = config.result_backend_max_retries if patient and config.result_backend_always_retry else 0
        self._pause_s = config.result_backend_base_sleep_between_retries_ms / 1000
        self._longest_s = config.result_backend_max_sleep_between_retries_ms / 1000
        expires = config.result_expires if config.result_chord_expires is None else config.result_chord_expires
        self._ttl_s = seconds(expires)

    def expect(self, joins: Sequence[Expected]) -> list[Call]:
        """See :meth:`Joins.expect`.

        Raises:
            NotImplementedError: :class:`ResultsDisabled`, without a result backend that workers can read.
            DriverError: when the backend does not answer.
        """
        if not joins:
            return []
        backend = self._services.backend
        if backend is None:
            raise ResultsDisabled(
                "A chord needs a result backend to collect the results of its header, and none is configured",
                cure="Set result_backend, or give Kernel(backend=...), such as backend='sqlite:///results.sqlite3'.",
            )
        if isinstance(backend, ReplyBackend):
            raise ResultsDisabled(
                "A chord collects the results of its header where it runs, and by rpc:// they go to the caller",
                cure="Use a result backend that processes share, such as sqlite:///results.sqlite3.",
            )
        if not backend.capabilities().join:
            return [self._unlock(each) for each in joins]
        for each in joins:
            self._patiently(lambda deadline, each=each: backend.expect(each.key, each.size, self._ttl_s, deadline))  # type: ignore[misc] # bound at once
        return []

    def report(self, part: Part) -> JoinState | None:
        """See :meth:`Joins.report`."""
        backend, place = self._services.backend, part.place
        if backend is None:
            return None
        if not backend.capabilities().join:
            self._keep(backend, part)
            return None
        size = place.size or self._announced(place.key)
        return self._patiently(
            lambda deadline: backend.join(place.key, place.name, part.payload, size, self._ttl_s, deadline)
        )

    def joined(self, key: str) -> None:
        """See :meth:`Joins.joined`."""
        backend = self._services.backend
        if backend is not None and backend.capabilities().join:
            self._patiently(lambda deadline: backend.joined(key, self._ttl_s, deadline))

    def once(self, calls: Sequence[Call]) -> list[Call]:
        """See :meth:`Joins.once`."""
        return [_once(call) for call in calls] if self._services.broker_caps.dedup else list(calls)

    def _keep(self, backend: ResultBackend, part: Part) -> None:
        """Whoever looks at the members' results must find one, although the member was to store none."""
        record = part.unstored
        if record is not None:
            self._patiently(lambda deadline: backend.store([record], StoreMode.IF_NOT_FINAL, deadline))

    def header(self, key: str) -> ResultForm | None:
        """See :meth:`Joins.header`."""
        backend = self._services.backend
        if backend is None:
            return None
        saved = self._patiently(lambda deadline: backend.fetch_group(key, deadline))
        try:
            form = json.loads(saved) if saved else None
            return form if form is not None and list(_leaves(form)) else None
        except (ValueError, TypeError, IndexError):
            return None

    def _announced(self, key: str) -> int:
        """The size of a chord whose client saved the header instead of saying it (wire.md 11.3); 0 when unknown."""
        form = self.header(key)
        return 0 if form is None else sum(1 for _ in _leaves(form))

    def _unlock(self, expected: Expected) -> Call:
        options = {
            "countdown": self._services.config.result_chord_retry_interval,
            "ignore_result": True,
            "add_to_parent": False,
            "queue": expected.body["options"].get("queue"),
        }
        given = cast(CallOptions, {key: value for key, value in options.items() if value is not None})
        task_id = str(uuid5(NAMESPACE_OID, f"{expected.key} unlock"))
        return Call(UNLOCK, (expected.key, expected.body), {"result": list(expected.results)}, task_id, given)

    def _patiently(self, ask: Callable[[Deadline], T]) -> T:
        tries, pause = 0, self._pause_s
        while True:
            try:
                return ask(Deadline.after(self._call_s))
            except DriverError as error:
                tries += 1
                if not error.retryable or tries > self._retries:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, self._longest_s)


class LocalJoins:
    """Chords of an eager run: counted here, in one thread."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, bytes]] = {}

    def expect(self, joins: Sequence[Expected]) -> list[Call]:  # noqa: ARG002 - the port's form
        """Nothing is to be announced: members carry the size."""
        return []

    def report(self, part: Part) -> JoinState | None:
        """The last member wins."""
        members = self._members.setdefault(part.place.key, {})
        members[part.place.name] = part.payload
        size, count = part.place.size, len(members)
        if count < size:
            return JoinState(count, size, won=False)
        return JoinState(count, size, won=True, payloads=tuple(members[name] for name in sorted(members)))

    def header(self, key: str) -> ResultForm | None:  # noqa: ARG002 - the port's form
        """Nobody saves one."""
        return None

    def once(self, calls: Sequence[Call]) -> list[Call]:
        """Nobody sends them twice."""
        return list(calls)

    def joined(self, key: str) -> None:
        """Forget it."""
        self._members.pop(key, None)


def _once(call: Call) -> Call:
    return replace(call, options=cast(CallOptions, {"dedup_id": call.id, **call.options}))


def _leaves(form: Any) -> Any:
    """The results of single tasks in a group's result tuple (wire.md 3)."""
    (_, _), members = form
    for member in members or ():
        if member[1] is None:
            yield member
        else:
            yield from _leaves(member)
