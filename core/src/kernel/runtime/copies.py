"""Sends again what was acknowledged early and must not be lost: the node holds the only copy of it."""

import logging
from collections.abc import Sequence

from kernel.contracts.broker import Outgoing
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError
from kernel.runtime.link import Link

logger = logging.getLogger("kernel.worker")

_TIMEOUT_S = 4.0


class Copies:
    """Messages to publish, kept until the broker has them.

    Args:
        link: the way to the broker.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: list[Outgoing] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Outgoing) -> None:
        """Publish this with the next :meth:`flush`."""
        self._waiting.append(message)

    def flush(self) -> None:
        """Publish all that waits; what the broker did not take, and may take later, is kept."""
        broker = self._link.broker
        if not self._waiting or not self._link.up or broker is None:
            return
        waiting, self._waiting = self._waiting, []
        try:
            results = broker.publish(waiting, Deadline.after(_TIMEOUT_S))
        except DriverError as error:
            self._waiting[:0] = waiting
            self._link.lose(error)
            return
        for message, result in zip(waiting, results, strict=True):
            if result.error is not None:
                self._refused(message, result.error)

    def _refused(self, message: Outgoing, error: DriverError) -> None:
        if error.retryable:
            self._waiting.append(message)
            return
        logger.critical(
            "Message %s could not be put back into queue %s: %s Its body: %r",
            message.id, message.queue, error.one_line(), message.body[:1000],
        )  # fmt: skip

    def abandon(self) -> Sequence[Outgoing]:
        """What could not be sent until the end; each is written to the log, so that it can be sent by hand."""
        for message in self._waiting:
            logger.critical(
                "Message %s of queue %s is lost with this worker: the broker is away. Headers: %r Body: %r",
                message.id, message.queue, dict(message.headers), message.body,
            )  # fmt: skip
        return tuple(self._waiting)
