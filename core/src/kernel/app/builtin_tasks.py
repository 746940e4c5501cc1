"""The tasks that every application has (features.md 1.15; wire.md 3)."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from kernel.app.canvas import chain, chord, group
from kernel.app.group_result import GroupResult
from kernel.app.mapping import chunks
from kernel.app.result import result_from_tuple
from kernel.app.signature import signature
from kernel.errors import BackendError, ChordError, DriverError
from kernel.model import states

_DAY_S = 86_400.0


def accumulate(*args: Any, index: int | None = None) -> Any:
    """What it is given: all of it, or the argument in one place."""
    return args if index is None else args[index]


def map_(self: Any, task: Mapping[str, Any], it: Sequence[Any]) -> list[Any]:
    """``[task(x) for x in it]``."""
    called = self.app.tasks[task["task"]]
    return [_returned(called(item)) for item in it]


def starmap(self: Any, task: Mapping[str, Any], it: Sequence[Sequence[Any]]) -> list[Any]:
    """``[task(*x) for x in it]``."""
    called = self.app.tasks[task["task"]]
    return [_returned(called(*item)) for item in it]


def _returned(value: Any) -> Any:
    """A plain value; a coroutine is run to its end."""
    return import_module("asyncio").run(value) if inspect.iscoroutine(value) else value


def send_chunks(self: Any, task: Mapping[str, Any], it: Sequence[Any], n: int) -> Any:
    """Send the messages of ``chunks``; the group's result as it travels."""
    return chunks(signature(task, app=self.app), it, n).apply_async().as_tuple()


def send_group(self: Any, tasks: Sequence[Any], *others: Any, partial_args: Sequence[Any] = (), **_: Any) -> Any:
    """Send a group, for clients that call it as a task; its result as it travels."""
    given = tuple(others[2]) if len(others) > 2 else tuple(partial_args)  # noqa: PLR2004 - after result and group_id
    return group(signature(task, app=self.app) for task in tasks).apply_async(given).as_tuple()


def send_chord(
    self: Any, header: Any, body: Mapping[str, Any], partial_args: Sequence[Any] = (), *_: Any, **__: Any
) -> Any:
    """Send a chord, for clients that call it as a task; its result as it travels."""
    members = header["kwargs"]["tasks"] if isinstance(header, Mapping) else header
    whole = chord([signature(task, app=self.app) for task in members], signature(body, app=self.app))
    return whole.apply_async(tuple(partial_args)).as_tuple()


def send_chain(self: Any, tasks: Sequence[Any], **_: Any) -> Any:
    """Send a chain, for clients that call it as a task; its result as it travels."""
    return chain(*(signature(task, app=self.app) for task in tasks)).apply_async().as_tuple()


def chord_part(self: Any, key: str, index: int | None, task_id: str, body: Mapping[str, Any]) -> None:
    """Ask again for a chord that was complete while somebody else had claimed its end."""
    self.app.client.chords(self.app.tasks, self.request).again(key, index, task_id, body)


def chord_unlock(  # noqa: PLR0913 - the documented form on the wire
    self: Any,
    group_id: str,
    callback: Mapping[str, Any],
    interval: float | None = None,
    propagate: bool = True,  # noqa: ARG001 - of old clients
    max_retries: int | None = None,
    result: Sequence[Any] = (),
    **_: Any,
) -> None:
    """Look at the results of a header and start the body when all are there: for result backends that cannot join.

    It is retried every ``result_chord_retry_interval`` seconds, at most until the results it waits for expire.
    """
    config = self.app.config
    pause = config.result_chord_retry_interval if interval is None else interval
    members = [result_from_tuple(form, self.app) for form in result]
    leaves = list(GroupResult(group_id, members, self.app).leaves())
    found = self.app.client.results.fetch([leaf.id for leaf in leaves], config.result_chord_join_timeout)
    known = {meta.task_id: meta for meta in found if meta.status in states.READY_STATES}
    ended = self.app.client.chords(self.app.tasks, self.request)
    if len(known) < len({leaf.id for leaf in leaves}):
        limit = _most_retries(config, pause) if max_retries is None else max_retries
        if self.request.retries >= limit:
            ended.fail(group_id, callback, ChordError(f"Chord {group_id}: its header did not finish in time"))
            return
        raise self.retry(countdown=pause, max_retries=limit)
    if not ended.end(group_id, callback, [_outcome(member, known) for member in members]):
        raise self.retry(countdown=pause)  # somebody else has claimed it, and may die


def _outcome(member: Any, known: Mapping[str, Any]) -> tuple[str, str, Any]:
    if not isinstance(member, GroupResult):
        meta = known[member.id]
        return meta.task_id, meta.status, meta.result
    found = [_outcome(each, known) for each in member.results]
    failed = next((each for each in found if each[1] != states.SUCCESS), None)
    return failed or (member.id, states.SUCCESS, [value for _, _, value in found])


def _most_retries(config: Any, pause: float) -> int:
    expires = config.result_expires
    seconds = expires.total_seconds() if hasattr(expires, "total_seconds") else expires
    return max(1, math.ceil((seconds or _DAY_S) / max(pause, 0.01)))


def backend_cleanup(self: Any) -> int:
    """Remove expired results where the backend does not do it by itself; how many."""
    removed: int = self.app.client.results.sweep()
    return removed


_QUIET = {"ignore_result": True, "typing": False}
_SURE: Mapping[str, Any] = {
    **_QUIET,
    "acks_late": True,
    "max_retries": None,
    "autoretry_for": (BackendError, DriverError),
    "default_retry_delay": 1.0,
}
"""Options of tasks that a chord depends on: repeated when their executor dies or a server is away."""
BUILT_IN: Mapping[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
    "celery.accumulate": (accumulate, {"typing": False}),
    "celery.map": (map_, {"bind": True}),
    "celery.starmap": (starmap, {"bind": True}),
    "celery.chunks": (send_chunks, {"bind": True}),
    "celery.group": (send_group, {"bind": True, "typing": False}),
    "celery.chord": (send_chord, {"bind": True, "typing": False}),
    "celery.chain": (send_chain, {"bind": True, "typing": False}),
    "celery.chord_unlock": (chord_unlock, {"bind": True, **_SURE}),
    "celery.backend_cleanup": (backend_cleanup, {"bind": True, **_QUIET}),
    "kernel.chord_part": (chord_part, {"bind": True, **_SURE}),
}
"""Name → function and options. The first names are those of wire.md 3, whatever the namespace: other implementations
send them too.
"""
