"""Runs jobs in an executor process: decode, attempt, plan; then commit (architecture.md 3).

Commit does the writes in the one order that repeats work after a crash and never loses it: what follows is published,
the result is stored, and only then is the delivery reported for settlement.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Executor, Job, Report, SoftLimiter
from kernel.engine.attempt import Ports, RunnableTask, attempt, attempt_async
from kernel.engine.plan import Plan, Run, Setting, plan
from kernel.engine.request import build_request
from kernel.errors import CodecError, InvalidTaskError, KernelError, NotRegistered
from kernel.model import states
from kernel.model.context import Request
from kernel.model.message import read_body
from kernel.model.outcome import Failed, Outcome, Rejected
from kernel.runtime import announce
from kernel.runtime.boot import Services
from kernel.runtime.commit import Committer
from kernel.runtime.logs import LogSettings, set_up
from kernel.runtime.middleware import Middleware
from kernel.runtime.portal import Portal, limited
from kernel.runtime.signal_table import worker_process_init, worker_process_shutdown

logger = logging.getLogger("kernel.worker")


class Payload(NamedTuple):
    """What a node sends to an executor with each job: the message as received, and whether to tell events of it."""

    headers: Mapping[str, Any]
    body: bytes
    content_type: str
    content_encoding: str
    delivery_info: Mapping[str, Any]
    correlation_id: str | None = None
    reply_to: str | None = None
    properties: Mapping[str, Any] | None = None
    attempt: int | None = None
    events: bool = False


class Finished(NamedTuple):
    """A run with its plan, waiting for commit. ``urgent`` when handlers or errbacks are to run after the writes."""

    tag: int
    run: Run | None
    plan: Plan
    urgent: bool


class TaskExecutor(Executor):
    """The executor of task bodies.

    Args:
        tasks: the registry of the application.
        services: drivers and codecs of this process; opened on first use.
        node: name of the worker node, as in ``request.hostname``.
        log_level: lowest level worth a log line.
        events: whether monitoring events are wanted.
        logs: how this process logs, once its number is known; None leaves that as it is.
    """

    def __init__(
        self,
        tasks: Mapping[str, RunnableTask],
        services: Services,
        *,
        node: str,
        log_level: int = logging.INFO,
        events: bool = False,
        logs: LogSettings | None = None,
    ) -> None:
        self._logs = logs
        self._tasks = tasks
        self._services = services
        self._node = node
        self._pid = os.getpid()
        self._setting = Setting(services.records, tasks, node, events, log_level)
        self._telling = replace(self._setting, events=True)
        self._middleware = Middleware(services.plugins.middleware)
        self._committer = Committer(services, self._setting, self._middleware)
        self._portal = Portal()
        self._ports = Ports(clock=time.time, uniform=random.uniform, drive=self._portal.drive, limit=limited)

    def open(self) -> None:
        """Log to this executor's own file if it has one, and run the process-init hooks; drivers connect when used."""
        if self._logs is not None and self.number:
            set_up(replace(self._logs, index=self.number))
        self._services.process_init()
        worker_process_init.send(None)

    def run(self, job: Job, limiter: SoftLimiter | None) -> Finished:
        """Decode, run and plan one job."""
        began = time.time()
        prepared = self._prepare(job, began)
        if isinstance(prepared, Finished):
            return prepared
        task, request = prepared
        self._middleware.prerun(request)
        announce.starting(task, request)
        outcome = attempt(task, request, limiter, self._ports)
        return self._finish(job, task, request, outcome, began)

    async def run_async(self, job: Job, limiter: SoftLimiter | None) -> Finished:
        """The same on the running event loop; a plain function runs in a thread of the loop."""
        began = time.time()
        prepared = await asyncio.to_thread(self._prepare, job, began)
        if isinstance(prepared, Finished):
            return prepared
        task, request = prepared
        if not asyncio.iscoroutinefunction(task.body):
            return await asyncio.to_thread(self.run, job, limiter)
        self._middleware.prerun(request)
        announce.starting(task, request)
        outcome = await attempt_async(task, request, self._ports)
        return self._finish(job, task, request, outcome, began)

    def commit(self, finished: Sequence[Finished]) -> list[Report]:
        """Publish what follows, store results, run handlers; then say how to settle."""
        try:
            return self._committer.commit(finished)
        except Exception as error:
            announce.broken([each.run for each in finished if each.run is not None], error)
            raise

    def close(self) -> None:
        """Close the event loop and the drivers, and run the process-shutdown hooks."""
        self._portal.close()
        worker_process_shutdown.send(None, pid=self._pid, exitcode=0)
        self._services.process_shutdown()
        self._services.close()

    def _prepare(self, job: Job, began: float) -> tuple[RunnableTask, Request] | Finished:
        payload: Payload = job.payload
        try:
            request = self._request(payload)
            task = self._task(request.task)
        except (CodecError, InvalidTaskError, NotRegistered) as error:
            return self._unreadable(job, error, began)
        request.timelimit = (job.hard_limit, job.soft_limit)
        request.pid = self._pid
        if request.ignore_result is None:
            request.ignore_result = task.task_options.ignore_result
        if task.task_options.track_started and not request.ignore_result:
            self._committer.started(request, began)
        return task, request

    def _task(self, name: str | None) -> RunnableTask:
        task = self._tasks.get(name or "")
        if task is None:
            raise NotRegistered(name)
        return task

    def _request(self, payload: Payload) -> Request:
        decoded = self._services.codec.decode(
            payload.body, payload.content_type, payload.content_encoding, payload.headers.get("compression")
        )
        return build_request(read_body(payload.headers, decoded), payload, self._node)

    def _unreadable(self, job: Job, error: KernelError, began: float) -> Finished:
        """A message whose body was never run: rejected, so that it is kept in quarantine with the reason."""
        reason = f"{type(error).__name__}: {error}"
        line = (logging.ERROR, f"Task {job.task}[{job.id}] cannot be read and is quarantined: {error}")
        unread = Plan(
            state=states.REJECTED,
            settlement=SettleKind.REJECT,
            outcome=Rejected(reason, requeue=False),
            reason=reason,
            runtime_s=time.time() - began,
            log=line,
        )
        return Finished(job.tag, None, unread, urgent=False)

    def _finish(self, job: Job, task: RunnableTask, request: Request, outcome: Outcome, began: float) -> Finished:
        run = Run(task, request, began, time.time())
        planned = plan(outcome, run, self._telling if job.payload.events else self._setting)
        if isinstance(planned.outcome, Failed):
            self._middleware.failed(request, planned.outcome.error)
        told = bool(self._middleware) or announce.is_followed()
        urgent = task.has_handlers or bool(planned.errbacks.direct) or told
        return Finished(job.tag, run, planned, urgent)
