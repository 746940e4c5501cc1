"""Messages the node itself sends again, because the broker cannot do what is needed, or because they were acknowledged.

Some hold the only copy there is; others replace a delivery, which is settled once the broker has the copy.
"""

import logging

from kernel.contracts.broker import Outgoing, Settle
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError
from kernel.runtime.link import Link
from kernel.runtime.settlement import Settlement

logger = logging.getLogger("kernel.worker")

_TIMEOUT_S = 4.0

_Waiting = tuple[Outgoing, Settle | None, int | None]


class Copies:
    """Messages to publish, kept until the broker has them.

    Args:
        link: the way to the broker.
        settlement: settles what a copy replaces.
    """

    def __init__(self, link: Link, settlement: Settlement) -> None:
        self._link = link
        self._settlement = settlement
        self._waiting: list[_Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Outgoing, then: Settle | None = None, tag: int | None = None) -> None:
        """Publish this with the next :meth:`flush`, and then settle ``then``, whose lease is that of ``tag``."""
        self._waiting.append((message, then, tag))

    def flush(self) -> None:
        """Publish all that waits; what the broker did not take, and may take later, is kept."""
        broker = self._link.broker
        if not self._waiting or not self._link.up or broker is None:
            return
        waiting, self._waiting = self._waiting, []
        try:
            results = broker.publish([message for message, _, _ in waiting], Deadline.after(_TIMEOUT_S))
        except DriverError as error:
            self._waiting[:0] = waiting
            self._link.lose(error)
            return
        for copy, result in zip(waiting, results, strict=True):
            self._sent(copy, result.error)

    def abandon(self) -> None:
        """At the very end: what is nowhere else is written to the log, so that it can be sent by hand."""
        for message, then, _ in self._waiting:
            if then is None:
                _last_words(message, "the broker is away")

    def _sent(self, copy: _Waiting, error: DriverError | None) -> None:
        message, then, tag = copy
        if error is not None and error.retryable:
            self._waiting.append(copy)
        elif error is not None and then is None:
            _last_words(message, error.one_line())
        elif error is not None:
            logger.error("Message %s stays as it is: its copy for queue %s was refused: %s",
                         message.id, message.queue, error.one_line())  # fmt: skip
        elif then is not None:
            self._settlement.settle(then, tag)


def _last_words(message: Outgoing, why: str) -> None:
    logger.critical(
        "Message %s cannot be put into queue %s: %s. Headers: %r Body: %r",
        message.id, message.queue, why, dict(message.headers), message.body,
    )  # fmt: skip
