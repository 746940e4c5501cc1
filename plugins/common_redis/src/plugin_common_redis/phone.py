"""A connection that notices before a call that the server ended it meanwhile, as a restart does."""

import select

from kernel.contracts import Deadline
from plugin_common_redis.connect import Connector
from plugin_common_redis.wire import Wire


class Phone:
    """Keeps one connection on which nothing is ever pushed, so that anything to read on it is its end.

    Args:
        connector: makes the connection.
        deadline: by when the first one is made.
    """

    __slots__ = ("_connector", "_poll", "_wire")

    def __init__(self, connector: Connector, deadline: Deadline) -> None:
        self._connector = connector
        self._wire = connector.connect(deadline)
        self._watch()

    def wire(self, deadline: Deadline) -> Wire:
        """The connection, made anew if it has ended."""
        if not self._wire.usable or self._poll.poll(0):
            self._wire.close()
            self._wire = self._connector.connect(deadline)
            self._watch()
        return self._wire

    def close(self) -> None:
        """End it."""
        self._wire.close()

    def abandon(self) -> None:
        """Forget it without a word to the server, for a forked child."""
        self._wire.abandon()

    def _watch(self) -> None:
        self._poll = select.poll()
        self._poll.register(self._wire.fileno(), select.POLLIN)
