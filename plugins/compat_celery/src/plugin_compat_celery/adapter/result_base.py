"""What a result backend written for Celery is derived from (features.md 2.9).

Such a class keeps its shape: the methods with an underscore are what it defines, and they get their arguments by
position. The kernel never calls it directly; :mod:`plugin_compat_celery.adapter.foreign_backend` stands between, and
decides what may overwrite what. So the base has what a subclass calls, and no more: waiting, chords and retries are
the kernel's.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.engine.failure import failure_from_wire, failure_to_wire
from kernel.errors import TimeoutError as ResultTimeout
from kernel.model import states


class Backend:
    """The base of result backends.

    A subclass defines ``_store_result(task_id, result, state, traceback, request)``, ``_get_task_meta_for(task_id)``
    and ``_forget(task_id)``; for saved groups ``_save_group(group_id, result)``, ``_restore_group(group_id)`` and
    ``_delete_group(group_id)``. ``result`` is a value that the serializer can carry: of a failure, its wire form.

    Args:
        app: the application.
        serializer: of results; None is ``result_serializer``.
        accept: content types that are read; the application's ``result_accept_content`` rules that.
        expires: seconds, or a timedelta, that results are kept; None is ``result_expires``.
        expires_type: what the number of seconds is made to be, such as ``int``.
        url: the URL that chose the backend.
        options: further arguments that a subclass does not take itself.
    """

    READY_STATES = states.READY_STATES
    UNREADY_STATES = states.UNREADY_STATES
    EXCEPTION_STATES = states.EXCEPTION_STATES
    TimeoutError = ResultTimeout

    subpolling_interval: float | None = None
    supports_native_join = False
    supports_autoexpire = False
    persistent = True

    def __init__(
        self,
        app: Any,
        serializer: str | None = None,
        accept: Sequence[str] | None = None,
        expires: float | timedelta | None = None,
        expires_type: Any = None,
        url: str | None = None,
        **options: Any,
    ) -> None:
        del accept, options
        self.app = app
        self.serializer = serializer or app.config.result_serializer
        self.expires = self.prepare_expires(expires, expires_type)
        self.url = url

    # What a subclass defines

    @abstractmethod
    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **kwargs: Any
    ) -> Any:
        """Keep the state of a task."""

    @abstractmethod
    def _get_task_meta_for(self, task_id: str) -> Mapping[str, Any]:
        """Its state as a mapping; ``{"status": "PENDING", "result": None}`` for one that is unknown."""

    def _forget(self, task_id: str) -> None:
        raise NotImplementedError(f"{type(self).__name__} cannot forget results: define _forget(task_id)")

    def _save_group(self, group_id: str, result: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot save groups: define _save_group(group_id, result)")

    def _restore_group(self, group_id: str) -> Mapping[str, Any] | None:
        raise NotImplementedError(f"{type(self).__name__} cannot restore groups: define _restore_group(group_id)")

    def _delete_group(self, group_id: str) -> None:
        raise NotImplementedError(f"{type(self).__name__} cannot delete groups: define _delete_group(group_id)")

    def cleanup(self) -> None:
        """Remove what expired, where the store does not do it by itself."""

    def process_cleanup(self) -> None:
        """Let go of connections; called when the driver is closed."""

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Whether trying again may help after this error."""
        return isinstance(exc, (OSError, TimeoutError))

    def as_uri(self, include_password: bool = False) -> str:
        """The URL; subclasses leave the password out of it."""
        del include_password
        return self.url or ""

    # What a subclass calls

    def encode(self, data: Any) -> Any:
        """A value as text, or bytes where the serializer's format is none."""
        return self._encode(data)[2]

    def _encode(self, data: Any) -> tuple[str, str, Any]:
        """Content type, content encoding and payload."""
        done = self.app.client.services.result_codec.encode(data, self.serializer)
        payload = done.body.decode() if done.content_encoding == "utf-8" else done.body
        return done.content_type, done.content_encoding, payload

    def decode(self, payload: Any) -> Any:
        """The value of such a text."""
        codec = self.app.client.services.result_codec
        body = payload.encode() if isinstance(payload, str) else bytes(payload)
        return codec.decode(body, codec.serializer(self.serializer).content_type, "utf-8")

    def decode_result(self, payload: Any) -> Mapping[str, Any]:
        """The state of a task from the text it was kept as."""
        return self.meta_from_decoded(self.decode(payload))

    def meta_from_decoded(self, meta: Mapping[str, Any]) -> Mapping[str, Any]:
        """The mapping as it is; failures are made exceptions by whoever reads the result."""
        return meta

    def encode_result(self, result: Any, state: str) -> Any:
        """A value, or an exception, as the serializer can carry it."""
        if state in self.EXCEPTION_STATES and isinstance(result, BaseException):
            return self.prepare_exception(result)
        return self.prepare_value(result)

    def prepare_value(self, result: Any) -> Any:
        """A result object as the tuple that stands for it; anything else as it is."""
        return result.as_tuple() if hasattr(result, "as_tuple") else result

    def prepare_exception(self, exc: BaseException, serializer: str | None = None) -> Any:
        """Its wire form."""
        del serializer
        return failure_to_wire(exc, self.app.config.namespace)

    def exception_to_python(self, exc: Any) -> BaseException | None:
        """The exception of a wire form."""
        return failure_from_wire(exc) if exc else None

    def prepare_expires(self, value: float | timedelta | None, type: Any = None) -> Any:  # noqa: A002 - documented
        """Seconds to keep a result; None is for ever."""
        found = self.app.config.result_expires if value is None else value
        seconds = found.total_seconds() if isinstance(found, timedelta) else found
        return type(seconds) if type is not None and seconds is not None else seconds

    def current_task_children(self, request: Any = None) -> list[Any]:
        """What the run called, as tuples."""
        return list(getattr(request, "children", None) or [])

    def _get_result_meta(
        self,
        result: Any,
        state: str,
        traceback: str | None,
        request: Any,
        format_date: bool = True,
        encode: bool = False,
    ) -> dict[str, Any]:
        """The common document of a state (wire.md 10.1)."""
        done = datetime.now(UTC) if state in self.READY_STATES else None
        meta = {
            "status": state,
            "result": result,
            "traceback": traceback,
            "children": self.current_task_children(request),
            "date_done": done.isoformat() if done is not None and format_date else done,
        }
        for field, attribute in (("group_id", "group"), ("parent_id", "parent_id")):
            if getattr(request, attribute, None):
                meta[field] = getattr(request, attribute)
        if request is not None and self.app.config.result_extended:
            meta.update(self._extended(request, encode))
        return meta

    def _extended(self, request: Any, encode: bool) -> dict[str, Any]:
        args, kwargs = request.args, request.kwargs
        return {
            "name": request.task,
            "args": self.encode(args) if encode else args,
            "kwargs": self.encode(kwargs) if encode else kwargs,
            "worker": request.hostname,
            "retries": request.retries,
            "queue": (request.delivery_info or {}).get("routing_key"),
        }

    # What a program calls

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **kwargs: Any
    ) -> Any:
        """Keep the state of a task."""
        value = self.encode_result(result, state)
        self._store_result(task_id, value, state, traceback, request=request, **kwargs)
        return value

    def get_task_meta(self, task_id: str, cache: bool = True) -> Mapping[str, Any]:
        """The state of a task as a mapping."""
        del cache
        return self._get_task_meta_for(task_id)

    def get_state(self, task_id: str) -> Any:
        """Its state."""
        return self.get_task_meta(task_id)["status"]

    def get_result(self, task_id: str) -> Any:
        """What it returned, or what it raised."""
        meta = self.get_task_meta(task_id)
        value = meta.get("result")
        return self.exception_to_python(value) if meta["status"] in self.EXCEPTION_STATES else value

    def get_traceback(self, task_id: str) -> Any:
        """The text of its traceback."""
        return self.get_task_meta(task_id).get("traceback")

    def forget(self, task_id: str) -> None:
        """Remove it."""
        self._forget(task_id)

    def save_group(self, group_id: str, result: Any) -> Any:
        """Keep which results belong to a group."""
        return self._save_group(group_id, result)

    def restore_group(self, group_id: str, cache: bool = True) -> Any:
        """The group of that id, or None."""
        del cache
        meta = self._restore_group(group_id)
        return meta["result"] if meta else None

    def delete_group(self, group_id: str) -> None:
        """Remove it."""
        self._delete_group(group_id)
