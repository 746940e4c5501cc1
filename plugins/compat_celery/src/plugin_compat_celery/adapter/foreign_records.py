"""Records of the kernel as the arguments that a backend written for Celery gets, and its answers as records."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kernel.contracts.backend import Record
from kernel.contracts.compressed import split
from kernel.contracts.driver import PluginContext
from kernel.engine.failure import failure_to_wire
from kernel.errors import Code, DriverError
from kernel.model import states
from kernel.model.context import Request

_TEXTS = ("parent_id", "group_id", "name", "worker", "queue")
_VALUES = ("args", "kwargs", "children")
JSON = "application/json"


class Translator:
    """Translates for one driver.

    Args:
        ctx: the serializers and compressors of results.

    Raises:
        DriverError: INVALID where there is no application.
    """

    def __init__(self, ctx: PluginContext) -> None:
        if ctx.formats is None:
            raise DriverError(Code.INVALID, "A result backend written for Celery needs an application")
        self._formats = ctx.formats
        self._namespace = ctx.namespace

    def value(self, data: bytes, content_type: str = JSON) -> Any:
        """What bytes of a record say."""
        body, encoding = split(data)
        if encoding is not None:
            body = self._formats.decompress(body, encoding)
        return self._formats.loads(body, content_type)

    def value_of(self, record: Record) -> Any:
        """The result as a value that a serializer can carry: a failure is in its wire form."""
        return None if record.result is None else self.value(record.result, record.content_type)

    def request(self, record: Record) -> Request:
        """What a record says about the call, as the request that the class reads it from."""
        return Request(
            id=record.id,
            task=record.name,
            args=tuple(json.loads(record.args)) if record.args else (),
            kwargs=json.loads(record.kwargs) if record.kwargs else {},
            hostname=record.worker,
            retries=record.retries or 0,
            group=record.group_id,
            parent_id=record.parent_id,
            delivery_info={"routing_key": record.queue} if record.queue else {},
            children=json.loads(record.children) if record.children else [],
            called_directly=False,
        )

    def record(self, task_id: str, meta: Mapping[str, Any] | None) -> Record | None:
        """The record of an answer; None for a task that is unknown.

        Raises:
            DriverError: CORRUPT for an answer that is no state.
        """
        if not meta or meta.get("status") == states.PENDING:
            return None
        status = meta.get("status")
        if not isinstance(status, str):
            raise DriverError(Code.CORRUPT, f"What is stored for task {task_id} has no status")
        result = meta.get("result")
        if isinstance(result, BaseException):
            result = failure_to_wire(result, self._namespace)
        fields: dict[str, Any] = {name: meta.get(name) for name in _TEXTS}
        fields |= {name: _json(meta.get(name)) for name in _VALUES}
        done = meta.get("date_done")
        return Record(
            task_id,
            status,
            self._formats.dumps(result, self._formats.content_type),
            self._formats.content_type,
            traceback=meta.get("traceback"),
            date_done=done.isoformat() if isinstance(done, datetime) else done,
            retries=meta.get("retries"),
            **fields,
        )


def _json(value: Any) -> str | None:
    """A value as JSON text; a text is taken for one that is encoded already, None and the empty list for nothing."""
    if value is None or value == []:
        return None
    if isinstance(value, (str, bytes)):
        return value if isinstance(value, str) else value.decode()
    return (
        json.dumps([each.as_tuple() if hasattr(each, "as_tuple") else each for each in value])
        if isinstance(value, (list, tuple))
        else json.dumps(value)
    )
