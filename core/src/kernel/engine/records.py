"""Task states as records of a result backend, and back (wire.md 10.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from kernel.contracts import compressed
from kernel.contracts.backend import Record
from kernel.engine.codec import Codec
from kernel.engine.failure import failure_from_wire, failure_to_wire, texts_only
from kernel.errors import BackendGetMetaError, DecodeError, EncodeError, KernelError
from kernel.model import states
from kernel.model.config import Config
from kernel.model.context import Request


@dataclass(frozen=True, slots=True)
class ResultMeta:
    """A decoded record: what a reader of a result sees."""

    task_id: str
    status: str
    result: Any = None
    traceback: str | None = None
    children: Any = None
    date_done: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    name: str | None = None
    args: Any = None
    kwargs: Any = None
    worker: str | None = None
    retries: int | None = None
    queue: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The mapping that ``on_message`` callbacks get (features.md 1.5); unset extended fields are left out."""
        common = {
            "task_id": self.task_id,
            "status": self.status,
            "result": self.result,
            "traceback": self.traceback,
            "children": self.children or [],
            "date_done": self.date_done,
        }
        extended = ("parent_id", "group_id", "name", "args", "kwargs", "worker", "retries", "queue")
        return {**common, **{key: getattr(self, key) for key in extended if getattr(self, key) is not None}}


class Records:
    """Builds and reads records for one application.

    Args:
        config: result settings: serializer, compression, expiry, extended.
        codec: accepts ``result_accept_content``.

    Attributes:
        ttl_s: seconds a result is kept; None for ever.
    """

    def __init__(self, config: Config, codec: Codec) -> None:
        self._config = config
        self._codec = codec
        self.ttl_s = seconds(config.result_expires)
        failures = config.result_failure_expires
        self._failure_ttl_s = self.ttl_s if failures is None else seconds(failures)

    def success(self, request: Request, value: object, worker: str, now: float) -> Record:
        """The record of a returned value.

        Raises:
            EncodeError: when the result serializer cannot carry it.
        """
        return self._record(request, states.SUCCESS, self._encode(value), None, worker, now)

    def failure(
        self,
        request: Request,
        error: BaseException,
        traceback: str | None,
        worker: str,
        now: float,
        state: str = states.FAILURE,
    ) -> Record:
        """The record of an exception, in state FAILURE, RETRY or REVOKED; always encodable."""
        wire = failure_to_wire(error, self._config.namespace)
        try:
            payload = self._encode(wire)
        except EncodeError:
            payload = self._encode(texts_only(wire))
        return self._record(request, state, payload, traceback, worker, now)

    def state(self, request: Request, status: str, meta: object, worker: str, now: float) -> Record:
        """The record of any other state: STARTED, or a task's own with its ``meta``.

        Raises:
            EncodeError: when the result serializer cannot carry ``meta``.
        """
        if isinstance(meta, BaseException):
            return self.failure(request, meta, None, worker, now, status)
        return self._record(request, status, self._encode(meta), None, worker, now)

    def fallen(self, task_id: str, error: BaseException, traceback: str | None, parent: Request, now: float) -> Record:
        """The record of a task that will never run, because of what failed before it: the same error."""
        request = Request(id=task_id, parent_id=parent.id, root_id=parent.root_id)
        return self.failure(request, error, traceback, "", now)

    def part(self, task_id: str, state: str, value: object) -> bytes:
        """What a member of a chord reports: ``[1, task_id, state, result]`` (wire.md 11.2).

        Raises:
            EncodeError: when the result serializer cannot carry a returned value.
        """
        if not isinstance(value, BaseException):
            return self._codec.encode([1, task_id, state, value], self._config.result_serializer, None).body
        wire = failure_to_wire(value, self._config.namespace)
        try:
            return self.part(task_id, state, wire)
        except EncodeError:
            return self.part(task_id, state, texts_only(wire))

    def read_part(self, payload: bytes) -> tuple[str, str, Any]:
        """A report: the member's id, its state, and its result or exception.

        Raises:
            BackendGetMetaError: for a report that cannot be decoded.
        """
        serializer = self._codec.serializer(self._config.result_serializer)
        try:
            decoded = self._codec.decode(payload, serializer.content_type, serializer.content_encoding, None)
            _, task_id, state, result = cast(list[Any], decoded)
        except (KernelError, TypeError, ValueError) as error:
            raise BackendGetMetaError(f"The report of a member of a chord cannot be read: {error}") from error
        return task_id, state, failure_from_wire(result) if state in states.EXCEPTION_STATES else result

    def meta(self, record: Record) -> ResultMeta:
        """Decode a record; exceptions are rebuilt (see :mod:`kernel.engine.failure`).

        Raises:
            BackendGetMetaError: when the stored bytes cannot be decoded.
        """
        try:
            result = self._decode(record)
            children = json.loads(record.children) if record.children else None
            args = json.loads(record.args) if record.args else None
            kwargs = json.loads(record.kwargs) if record.kwargs else None
        except (KernelError, ValueError) as error:
            raise BackendGetMetaError(f"The stored result of task {record.id} cannot be read: {error}") from error
        if record.status in states.EXCEPTION_STATES:
            result = failure_from_wire(result)
        return ResultMeta(
            task_id=record.id,
            status=record.status,
            result=result,
            traceback=record.traceback,
            children=children,
            date_done=record.date_done,
            parent_id=record.parent_id,
            group_id=record.group_id,
            name=record.name,
            args=args,
            kwargs=kwargs,
            worker=record.worker,
            retries=record.retries,
            queue=record.queue,
        )

    def _record(
        self, request: Request, status: str, payload: bytes, traceback: str | None, worker: str, now: float
    ) -> Record:
        serializer = self._codec.serializer(self._config.result_serializer)
        done = datetime.fromtimestamp(now, UTC).isoformat() if status in states.READY_STATES else None
        return Record(
            id=request.id or "",
            status=status,
            result=payload,
            content_type=serializer.content_type,
            content_encoding=serializer.content_encoding,
            traceback=traceback,
            children=json.dumps(request.children) if request.children else None,
            date_done=done,
            parent_id=request.parent_id,
            group_id=request.group,
            ttl_s=self._failure_ttl_s if status == states.FAILURE else self.ttl_s,
            reply_to=request.reply_to,
            **(self._extended(request, worker) if self._config.result_extended else {}),
        )

    def _extended(self, request: Request, worker: str) -> dict[str, Any]:
        hidden = self._config.result_serializer in self._codec.hiding  # a store may keep these fields in the open
        return {
            "name": request.task,
            "args": None if hidden else json.dumps(list(request.args), default=repr),
            "kwargs": None if hidden else json.dumps(request.kwargs, default=repr),
            "worker": worker,
            "retries": request.retries,
            "queue": request.delivery_info.get("routing_key"),
            "stamps": json.dumps(dict(request.stamps), default=repr) if request.stamps else None,
        }

    def _encode(self, value: object) -> bytes:
        encoded = self._codec.encode(value, self._config.result_serializer, self._config.result_compression)
        if encoded.compression is None:
            return encoded.body
        return compressed.marked(encoded.compression, encoded.body)

    def _decode(self, record: Record) -> Any:
        if record.result is None:
            if record.status == states.SUCCESS:
                raise DecodeError("It is a success without a value")
            return None
        body, compression = compressed.split(record.result)
        return self._codec.decode(body, record.content_type, record.content_encoding, compression)


def failure_request(headers: Mapping[str, Any], task_id: str, reply_to: str | None = None) -> Request:
    """As much of a request as a record needs, from the headers of a message whose body was never run."""
    return Request(
        id=task_id,
        task=_text(headers.get("task")),
        parent_id=_text(headers.get("parent_id")),
        group=_text(headers.get("group")),
        root_id=_text(headers.get("root_id")),
        retries=headers["retries"] if isinstance(headers.get("retries"), int) else 0,
        reply_to=reply_to,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def seconds(expires: float | timedelta | None) -> float | None:
    """How long to keep something, in seconds; None for ever, which a setting may write as 0."""
    number = expires.total_seconds() if isinstance(expires, timedelta) else expires
    return number or None
