"""The node's own view of one task, for applications that want to be told there (features.md 1.20).

It is created only for tasks that name a class of their own in ``Task.Request``.
"""

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from kernel.engine.attempt import RunnableTask
from kernel.engine.failure import ExceptionInfo
from kernel.errors import ImproperlyConfigured
from kernel.runtime.jobs import delivery_info
from kernel.runtime.ledger import Entry

logger = logging.getLogger("kernel.worker")

_DEFAULT = "kernel.worker.request:Request"


def _header(name: str, doc: str) -> Any:
    """A property that reads a header of the message; None when it is not there."""
    return property(lambda request: request.headers.get(name), doc=doc)


class Request:
    """One delivery of a task, seen from the node. Methods are called in the node's main loop: be quick.

    Attributes:
        task: the task object.
        id: task id.
        name: task name.
        headers: message headers.
        delivery_info: exchange, routing key, priority, redelivered.
        time_limits: (hard, soft) in seconds.
        hostname: name of the node.
    """

    def __init__(self, task: RunnableTask, entry: Entry, hostname: str) -> None:
        self.task = task
        self.id = entry.run.id
        self.name = entry.run.task
        self.headers: Mapping[str, Any] = entry.headers
        self.delivery_info: Mapping[str, Any] = delivery_info(entry.delivery)
        self.time_limits = (entry.run.hard_limit, entry.run.soft_limit)
        self.hostname = hostname

    @property
    def task_id(self) -> str:
        """The same as ``id``."""
        return self.id

    @property
    def task_name(self) -> str:
        """The name shown in the log: that of the task, unless the call gave another."""
        return str(self.headers.get("shadow") or self.name)

    eta = _header("eta", "When it is to run, ISO 8601.")
    expires = _header("expires", "When it is too late, ISO 8601.")
    root_id = _header("root_id", "The id of the first task of its workflow.")
    parent_id = _header("parent_id", "The id of the task that sent it.")
    group = _header("group", "The id of the group it belongs to.")
    group_index = _header("group_index", "Its place in that group.")
    argsrepr = _header("argsrepr", "Its positional arguments, as text.")
    kwargsrepr = _header("kwargsrepr", "Its keyword arguments, as text.")
    ignore_result = _header("ignore_result", "Whether the caller wants no result.")
    stamps = _header("stamps", "Its stamps.")
    stamped_headers = _header("stamped_headers", "The names of its stamps.")
    replaced_task_nesting = _header("replaced_task_nesting", "How often a task was put in the place of another.")

    def on_accepted(self, pid: int | None, time_accepted: float) -> None:
        """An executor began the task, at Unix time ``time_accepted``."""

    def on_timeout(self, soft: bool, timeout: float | None) -> None:
        """A time limit passed: the soft one (the body got an exception), or the hard one (its executor was ended)."""

    def on_success(self, failed__retval__runtime: tuple[bool, object, float], **kwargs: Any) -> None:
        """The task succeeded: ``(failed, retval, seconds)``; the value stays in the executor, so it is None."""

    def on_failure(self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """The task failed, or its executor was lost."""

    def on_retry(self, exc_info: ExceptionInfo) -> None:
        """The task is to be run again."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}[{self.id}]>"


def new_request(cls: type[Request], task: RunnableTask, entry: Entry, hostname: str) -> Request | None:
    """A request of an application's class; None, and a line in the log, when the application refuses to make one."""
    try:
        return cls(task, entry, hostname)
    except Exception:
        logger.exception("Task %s: its request class %s failed; it runs without one", entry.title, cls.__name__)
        return None


def request_class(task: RunnableTask) -> type[Request] | None:
    """The task's own request class; None when it is content with the default.

    Raises:
        ImproperlyConfigured: for a ``Request`` that cannot be imported or is no such class.
    """
    wanted = getattr(task, "Request", None)
    if wanted is None or wanted in {_DEFAULT, Request}:
        return None
    return _resolve(task.name, wanted)


def _resolve(name: str, wanted: object) -> type[Request]:
    cls = _imported(name, wanted) if isinstance(wanted, str) else wanted
    if not isinstance(cls, type) or not issubclass(cls, Request):
        raise ImproperlyConfigured(
            f"Task {name}: Request is {wanted!r}, which is not a subclass of kernel.worker.request.Request.",
            cure="Derive it from that class, or remove the attribute.",
        )
    return cls


def _imported(name: str, path: str) -> object:
    module, _, attribute = path.replace(":", ".").rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"Task {name}: its Request {path!r} cannot be imported: {error}.",
            cure="Write it as 'package.module:Class'.",
        ) from error
