"""What follows a task that ended without an executor: errbacks, later steps, chords (features.md 1.2, 2.1)."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.contracts.backend import StoreMode
from kernel.contracts.broker import Delivery
from kernel.engine.attempt import RunnableTask
from kernel.engine.errbacks import DirectErrback, errbacks_of
from kernel.engine.falling import readable_fall
from kernel.engine.parts import fallen_parts, fallen_records
from kernel.engine.plan import Setting
from kernel.engine.request import build_request
from kernel.errors import CodecError, InvalidTaskError, KernelError
from kernel.model.context import Request
from kernel.model.message import read_body
from kernel.model.outcome import Failed
from kernel.runtime.boot import Services
from kernel.runtime.jobs import payload_of
from kernel.runtime.joiner import Joiner, call_errbacks
from kernel.runtime.joins import BackendJoins
from kernel.runtime.store import Store

logger = logging.getLogger("kernel.worker")


class Aftermath:
    """Sends errbacks that are tasks, calls those that take the failure itself, marks later steps, and tells chords.

    Args:
        services: codec, publisher and result backend.
        tasks: the registry.
        node: name of the node.
    """

    def __init__(self, services: Services, tasks: Mapping[str, RunnableTask], node: str) -> None:
        self._services = services
        self._tasks = tasks
        self._node = node
        self._joins = BackendJoins(services, patient=False)
        self._store = Store(services, patient=False)
        setting = Setting(services.records, tasks, node)
        self._joiner = Joiner(services, self._joins, self._store, setting, _in_thread)

    def follow(self, delivery: Delivery, headers: Mapping[str, Any], error: KernelError, *, failed: bool) -> None:
        """Do what the message says is to follow its end: mark the later steps of its chain, tell the chords that wait,
        and after a failure run its errbacks. Doing all of it again is safe, errbacks excepted, which are last.

        Args:
            delivery: the message.
            headers: its headers.
            error: how it ended.
            failed: whether errbacks are to be run.

        Raises:
            KernelError: when something could not be written or sent.
        """
        request = self._request(delivery, headers)
        if request is None:
            return
        self._fall(request, error)
        if failed and request.errbacks:
            self._errbacks(request, error)

    def _fall(self, request: Request, error: KernelError) -> None:
        fall = readable_fall(request)
        records = fallen_records(fall, Failed(error, ""), request, self._services.records, time.time())
        for problem in self._store.all(records, StoreMode.IF_NOT_FINAL) if records else ():
            if problem is not None and problem.retryable:
                raise problem
        self._joiner.report(fallen_parts(fall, error, self._services.records, time.time()))

    def _errbacks(self, request: Request, error: KernelError) -> None:
        try:
            errbacks = errbacks_of(request, self._tasks)
        except InvalidTaskError as problem:
            logger.error("Errbacks of task %s are not run: %s", request.id, problem)  # noqa: TRY400 - the cause is data
            return
        if errbacks.calls:
            self._services.publisher.publish([*self._joins.expect(errbacks.joins), *errbacks.calls])
        if errbacks.direct:
            _in_thread(errbacks.direct, request, error)

    def _request(self, delivery: Delivery, headers: Mapping[str, Any]) -> Request | None:
        """The request of the message; None when it cannot be read, so that nothing can follow."""
        message = delivery.message
        try:
            decoded = self._services.codec.decode(
                message.body, message.content_type, message.content_encoding, headers.get("compression")
            )
            return build_request(read_body(headers, decoded), payload_of(delivery, headers), self._node)
        except (CodecError, InvalidTaskError):
            return None


def _in_thread(errbacks: Sequence[DirectErrback], request: Request, error: BaseException) -> None:
    """An application's code: it must not hold up the main loop."""
    arguments = (errbacks, request, error)
    threading.Thread(target=call_errbacks, args=arguments, name="kernel-errback", daemon=True).start()
