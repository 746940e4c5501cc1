"""Errbacks of a task that failed without an executor to run them (features.md 1.2)."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from kernel.contracts.broker import Delivery
from kernel.engine.attempt import RunnableTask
from kernel.engine.canvas import DirectErrback, errbacks_of
from kernel.engine.request import build_request
from kernel.errors import CodecError, InvalidTaskError, KernelError
from kernel.model.context import Request
from kernel.model.message import read_body
from kernel.runtime.boot import Services
from kernel.runtime.jobs import payload_of

logger = logging.getLogger("kernel.worker")


class Aftermath:
    """Sends errbacks that are tasks; calls those that take the failure itself.

    Args:
        services: codec and publisher.
        tasks: the registry.
        node: name of the node.
    """

    def __init__(self, services: Services, tasks: Mapping[str, RunnableTask], node: str) -> None:
        self._services = services
        self._tasks = tasks
        self._node = node

    def follow(self, delivery: Delivery, headers: Mapping[str, Any], error: KernelError) -> None:
        """Run what the message says is to follow a failure.

        Raises:
            KernelError: when an errback could not be sent.
        """
        request = self._request(delivery, headers)
        if request is None or not request.errbacks:
            return
        try:
            errbacks = errbacks_of(request, self._tasks)
        except InvalidTaskError as problem:
            logger.error("Errbacks of task %s are not run: %s", request.id, problem)  # noqa: TRY400 - the cause is data
            return
        if errbacks.calls:
            self._services.publisher.publish(errbacks.calls)
        for errback in errbacks.direct:
            # An application's code: it must not hold up the main loop.
            arguments = (errback, request, error)
            threading.Thread(target=_call, args=arguments, name="kernel-errback", daemon=True).start()

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


def _call(errback: DirectErrback, request: Request, error: KernelError) -> None:
    try:
        errback.task.body(*errback.args, request, error, None)
    except Exception:
        logger.exception("Errback %s of task %s failed", errback.task.name, request.id)
