"""Base classes of tasks and requests."""

import logging

from celery import Task
from celery.worker.request import Request
from proj.notes import note

logger = logging.getLogger("proj.base")


class DatabaseTask(Task):
    """Keeps a connection for as long as its process lives."""

    _db = None

    @property
    def db(self):
        if self._db is None:
            self._db = {"connected": 1}
        return self._db


class DebugTask(Task):
    """Says what it runs."""

    def __call__(self, *args, **kwargs):
        note(self.request.kwargs.get("subject", "debug"), calling=self.name, request=bool(self.request.id))
        return self.run(*args, **kwargs)


class HandledTask(Task):
    """Notes every handler."""

    def before_start(self, task_id, args, kwargs):
        note(task_id, handler="before_start", args=list(args), kwargs=sorted(kwargs))

    def on_success(self, retval, task_id, args, kwargs):
        note(task_id, handler="on_success", retval=retval)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        note(task_id, handler="on_failure", exc=repr(exc), traceback="ValueError" in str(einfo))

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        note(task_id, handler="on_retry", exc=type(exc).__name__, einfo=einfo is not None)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        note(task_id, handler="after_return", status=status)


class MyRequest(Request):
    """Notes failures and hard time limits, in the worker's main process."""

    def on_timeout(self, soft, timeout):
        super().on_timeout(soft, timeout)
        note(self.id, request="on_timeout", soft=soft, timeout=int(timeout), task=self.task.name)

    def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        note(self.id, request="on_failure", task=self.task.name)


class RequestedTask(Task):
    Request = "proj.base:MyRequest"
