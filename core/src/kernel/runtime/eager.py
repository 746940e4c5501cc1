"""Runs calls here and now, over the same steps as a worker: attempt, plan, commit (features.md 2.2, taste.md rule 9).

Only the ends differ: what follows a task is run instead of published, and results are kept instead of stored, unless
``task_store_eager_result`` asks for both.
"""

import os
import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.contracts.backend import Record, StoreMode, StoreResult
from kernel.contracts.deadline import Deadline
from kernel.engine.attempt import Ports, RunnableTask, attempt
from kernel.engine.message_parts import build_body
from kernel.engine.plan import Run, Setting, plan
from kernel.errors import NotRegistered
from kernel.model import states
from kernel.model.call import Call
from kernel.model.context import Request
from kernel.model.message import read_body
from kernel.model.outcome import Failed, Outcome, Replaced, Succeeded
from kernel.runtime import announce
from kernel.runtime.boot import Services
from kernel.runtime.commit import Committer, Done
from kernel.runtime.joins import LocalJoins
from kernel.runtime.middleware import Middleware
from kernel.runtime.portal import Portal, limited


class EagerRun:
    """One eager call and everything that follows it.

    Args:
        services: codec and records; drivers are used only with ``task_store_eager_result``.
        tasks: the registry.
        serialize: pass arguments through the serializer, so that a value it cannot carry is noticed.
    """

    def __init__(self, services: Services, tasks: Mapping[str, RunnableTask], *, serialize: bool) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._waiting: deque[Call] = deque()
        self._services = services
        self._tasks = tasks
        self._serialize = serialize
        self._setting = Setting(services.records, tasks, services.node)
        self._committer = Committer(_Local(services, self), self._setting, Middleware(services.plugins.middleware))
        self._portal = Portal()
        self._ports = Ports(clock=time.time, uniform=random.uniform, drive=self._portal.drive, limit=limited)

    def run(self, calls: Sequence[Call]) -> Mapping[str, Outcome]:
        """Run the calls in order; the last outcome of each id, those of follow-ups included."""
        self.publish(calls)
        try:
            while self._waiting:
                self._one(self._waiting.popleft())
        finally:
            self._portal.close()
        return self.outcomes

    def publish(self, calls: Sequence[Call]) -> None:
        """What a publisher does: the calls run once the task they follow is through, its handlers included."""
        self._waiting.extend(calls)

    def _one(self, call: Call) -> None:
        began = time.time()
        request = self._request(call)
        task = self._tasks.get(call.task)
        if task is None:
            error = NotRegistered(call.task, cure="An eager call runs tasks of this process only.")
            self.outcomes[call.id] = Failed(error, f"NotRegistered: {call.task}\n")
            return
        if request.ignore_result is None:
            request.ignore_result = task.task_options.ignore_result
        announce.starting(task, request)
        outcome = attempt(task, request, None, self._ports)
        if isinstance(outcome, Failed) and not isinstance(outcome.error, Exception):
            raise outcome.error  # Ctrl-C and sys.exit() mean this process, which is the caller's own
        if not isinstance(outcome, Replaced):  # then the last of those in its place has its id
            self.outcomes[call.id] = outcome
        run = Run(task, request, began, time.time())
        self._committer.commit([Done(0, run, plan(outcome, run, self._setting))])

    def _request(self, call: Call) -> Request:
        options = call.options
        value: Any = build_body(call, options)
        if self._serialize:
            value = self._through_serializer(value, options.get("serializer"))
        body = read_body({"task": call.task}, value)
        embed = body.embed
        return Request(
            id=call.id,
            task=call.task,
            args=body.args,
            kwargs=dict(body.kwargs),
            hostname=self._services.node,
            retries=options.get("retries", 0),
            timelimit=(None, None),
            group=options.get("group_id"),
            group_index=options.get("group_index"),
            chain=embed.chain,
            chord=embed.chord,
            callbacks=embed.callbacks,
            errbacks=embed.errbacks,
            root_id=options.get("root_id") or call.id,
            parent_id=options.get("parent_id"),
            correlation_id=call.id,
            delivery_info={"exchange": "", "routing_key": "", "priority": None, "redelivered": False, "is_eager": True},
            headers=options.get("headers"),
            shadow=options.get("shadow"),
            replaced_task_nesting=options.get("replaced_task_nesting", 0),
            stamped_headers=list(options.get("stamped_headers") or ()) or None,
            stamps=options.get("stamps") or {},
            ignore_result=options.get("ignore_result"),
            is_eager=True,
            called_directly=False,
            attempt=1,
            pid=os.getpid(),
        )

    def _through_serializer(self, value: object, serializer: str | None) -> object:
        codec = self._services.codec
        encoded = codec.encode(value, serializer or self._services.config.task_serializer, None)
        return codec.decode(encoded.body, encoded.content_type, encoded.content_encoding, encoded.compression)


class _Local:
    """The services of an eager run: calls are run instead of published, and chords counted here."""

    def __init__(self, services: Services, run: EagerRun) -> None:
        self.config = services.config
        self.publisher = run
        self.joins = LocalJoins()
        self.backend = _Kept(services, run)


class _Kept:
    """Takes the records of an eager run: what fell without running is an outcome too. Only ``task_store_eager_result``
    lets them through to the result backend.
    """

    def __init__(self, services: Services, run: EagerRun) -> None:
        self._services = services
        self._run = run

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`."""
        for record in records:
            if record.id not in self._run.outcomes:
                meta = self._services.records.meta(record)
                succeeded = meta.status == states.SUCCESS
                self._run.outcomes[record.id] = (
                    Succeeded(meta.result) if succeeded else Failed(meta.result, meta.traceback or "")
                )
        backend = self._services.backend if self._services.config.task_store_eager_result else None
        return [StoreResult()] * len(records) if backend is None else backend.store(records, mode, deadline)
