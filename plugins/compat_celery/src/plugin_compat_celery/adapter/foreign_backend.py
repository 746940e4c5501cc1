"""A result backend that is a class written for Celery, as a driver of the kernel.

``result_backend = "package.module:Class"``, an alias of ``override_backends``, or the name of an entry point in the
group ``celery.result_backends`` become the URL ``celery-backend:package.module:Class?url=...``.

What such a class cannot give: its check and its write are two steps, so that two workers which end the same task at
the same moment may both store (in one process they cannot); its calls end by its own timeouts, not by the caller's
deadline; and it counts no chords, which ``celery.chord_unlock`` looks after.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

from kernel.app.current import holder
from kernel.app.group_result import group_from_tuple
from kernel.contracts.backend import Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.capabilities import BackendCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.errors import Applied, Code, DriverError
from kernel.model import states
from plugin_compat_celery.adapter.configuration.backend_address import BACKENDS
from plugin_compat_celery.adapter.foreign_records import Translator

_FINAL = frozenset({states.SUCCESS, states.FAILURE, states.REVOKED})
_KEPT: Mapping[StoreMode, Callable[[str], bool]] = MappingProxyType({
    StoreMode.UPSERT: lambda _status: False,
    StoreMode.IF_ABSENT: lambda status: status != states.PENDING,
    StoreMode.IF_NOT_FINAL: lambda status: status in _FINAL,
    StoreMode.IF_NOT_SUCCESS: lambda status: status == states.SUCCESS,
})  # fmt: skip


class ForeignBackend(ResultBackend):
    """Calls an object of such a class; one at a time, since nobody says that it is safe in several threads."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        del options
        place, _, query = url.partition(":")[2].partition("?")
        self._place = place
        self._url = parse_qs(query).get("url", [None])[0]
        self._translator = Translator(ctx)
        self._backend: Any = None
        self._lock = threading.RLock()

    def capabilities(self) -> BackendCaps:
        """It keeps what its store keeps; more is not known of it."""
        return BackendCaps(persist=True)

    def open(self, deadline: Deadline) -> None:
        """Make the object, for the current application."""
        del deadline
        with self._lock:
            if self._backend is None:
                kind = find_class(self._place)
                with self._errors("making it"):
                    self._backend = kind(app=holder.get(), url=self._url)

    def close(self, deadline: Deadline) -> None:
        """Let it clean up after itself."""
        del deadline
        with self._lock:
            backend, self._backend = self._backend, None
            if backend is not None:
                with self._errors("process_cleanup"):
                    backend.process_cleanup()

    def ping(self, deadline: Deadline) -> None:
        """Read a task that nobody sent."""
        self.fetch(["kernel-ping"], deadline)

    def after_fork(self) -> None:
        """A child makes its own."""
        self._lock = threading.RLock()
        if self._backend is not None:
            self._backend = None
            self.open(Deadline.after(0))

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`; the check and the write are one step here only."""
        del deadline
        return [self._stored(record, mode) for record in records]

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch`."""
        del deadline
        with self._used("reading results") as backend:
            return [self._translator.record(each, backend._get_task_meta_for(each)) for each in ids]

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget`."""
        del deadline
        with self._used("forgetting results") as backend:
            there = [each for each in dict.fromkeys(ids) if self._status(backend, each) != states.PENDING]
            for each in there:
                backend._forget(each)
            return len(there)

    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        """Have it clean up, if it must; how many it removed it does not say."""
        del now, limit, deadline
        with self._used("cleanup") as backend:
            if not backend.supports_autoexpire:
                backend.cleanup()
        return 0

    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        """Keep a group, as the result object that the class expects."""
        del ttl_s, deadline
        with self._used("saving a group") as backend:
            group = group_from_tuple(self._translator.value(structure), backend.app)
            backend._save_group(group_id, group)

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        """The structure of a group that was kept."""
        del deadline
        with self._used("reading a group") as backend:
            meta = backend._restore_group(group_id)
        return _structure(meta["result"]) if meta else None

    def forget_group(self, group_id: str, deadline: Deadline) -> None:
        """Remove it."""
        del deadline
        with self._used("forgetting a group") as backend:
            backend._delete_group(group_id)

    def _stored(self, record: Record, mode: StoreMode) -> StoreResult:
        try:
            with self._used(f"storing task {record.id}") as backend:
                if mode is not StoreMode.UPSERT and _KEPT[mode](self._status(backend, record.id)):
                    return StoreResult(stored=False)
                value, request = self._translator.value_of(record), self._translator.request(record)
                backend._store_result(record.id, value, record.status, record.traceback, request=request)
                return StoreResult()
        except DriverError as error:
            return StoreResult(stored=False, error=error)

    @staticmethod
    def _status(backend: Any, task_id: str) -> str:
        meta = backend._get_task_meta_for(task_id)
        return str(meta["status"]) if meta else states.PENDING

    @contextmanager
    def _used(self, what: str) -> Iterator[Any]:
        with self._lock:
            if self._backend is None:
                raise DriverError(Code.CLOSED, f"Result backend {self._place} is closed")
            with self._errors(what):
                yield self._backend

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Any error of the class as one of a driver; whether it helps to try again the class itself says."""
        try:
            yield
        except DriverError:
            raise
        except Exception as error:
            again = getattr(self._backend, "exception_safe_to_retry", lambda each: isinstance(each, OSError))
            code = Code.UNAVAILABLE if again(error) else Code.INTERNAL
            message = f"Result backend {self._place} failed ({what}): {type(error).__name__}: {error}"
            raise DriverError(code, message, outcome=Applied.UNKNOWN) from error


def find_class(place: str) -> Any:
    """The class at ``module:Class`` or ``module.Class``, or of the entry point of that name.

    Raises:
        DriverError: INVALID when there is none.
    """
    for point in entry_points(group=BACKENDS, name=place):
        return point.load()
    module, _, name = place.partition(":") if ":" in place else place.rpartition(".")
    try:
        found = import_module(module) if module else None
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise DriverError(
            Code.INVALID,
            f"There is no result backend {place!r}: {error}",
            cure="Write result_backend as a URL, or as package.module:Class.",
        ) from error
    if not isinstance(found, type):
        raise DriverError(Code.INVALID, f"{place!r} is no class but {type(found).__name__}", cure="Name the class.")
    return found


def _structure(group: Any) -> bytes:
    """The JSON of a saved group's result tuple, of a group or of the tuple itself."""
    return json.dumps(group.as_tuple() if hasattr(group, "as_tuple") else group).encode()
