"""Waiting for results that the server tells of, by a change stream (replica sets and sharded clusters)."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import pymongo
from pymongo.change_stream import ChangeStream
from pymongo.errors import PyMongoError

from kernel.contracts.backend import Record
from kernel.contracts.deadline import Deadline
from kernel.contracts.polling import poll
from kernel.errors import Code, DriverError
from plugin_backend_mongo.session import Document, Session

Look = Callable[[Sequence[str], Deadline], Sequence[Record | None]]
_AWAIT_S = 0.25
"""How long the server waits for a change before it says that there is none."""
_SLACK_S = 1.0
_IDLE_S = 0.01
"""Pause when the server does not wait."""
_MOST_IDS = 1000
"""A stream of more ids is one of all results."""


class Bell:
    """Ends a pause when one of some results changes.

    Args:
        stream: of their changes.
    """

    def __init__(self, stream: ChangeStream[Document]) -> None:
        self._stream = stream
        self._works = True

    def pause(self, seconds: float) -> None:
        """Wait for a change, at most so long. When the stream breaks, what is left of the time is waited for."""
        end = time.monotonic() + seconds
        while self._works and time.monotonic() < end:
            began = time.monotonic()
            if self._rang():
                return
            rest = min(_IDLE_S, end - time.monotonic())
            if time.monotonic() - began < _IDLE_S and rest > 0:
                time.sleep(rest)
        time.sleep(max(0.0, end - time.monotonic()))

    def _rang(self) -> bool:
        try:
            with pymongo.timeout(_AWAIT_S + _SLACK_S):
                event = self._stream.try_next()
                self._works = self._stream.alive
        except PyMongoError:
            self._works = False
            return False
        return event is not None


def wait(session: Session, look: Look, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
    """See :meth:`kernel.contracts.backend.ResultBackend.wait`; the stream begins before the first look.

    A server without streams, or one that cannot be reached for one, is asked again and again instead.
    """
    stream = _stream(session, ids, deadline)
    if stream is None:
        return poll(look, ids, need, deadline)
    try:
        return poll(look, ids, need, deadline, Bell(stream).pause)
    finally:
        with contextlib.suppress(PyMongoError), pymongo.timeout(_SLACK_S):
            stream.close()


def _stream(session: Session, ids: Sequence[str], deadline: Deadline) -> ChangeStream[Document] | None:
    changed: dict[str, Any] = {"operationType": {"$in": ["insert", "update", "replace"]}}
    if len(ids) <= _MOST_IDS:
        changed["documentKey._id"] = {"$in": list(dict.fromkeys(ids))}
    try:
        with session.call("watching results", deadline) as database:
            collection = database[session.collection("taskmeta")]
            return collection.watch([{"$match": changed}], max_await_time_ms=round(_AWAIT_S * 1000))
    except DriverError as error:
        if error.code is Code.CLOSED:
            raise
        return None
