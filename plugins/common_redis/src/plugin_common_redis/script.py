"""Scripts that run inside the server, each one atomic step."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from kernel.contracts import Deadline
from plugin_common_redis.errors import ReplyError, UnknownScript
from plugin_common_redis.wire import Wire, Word


class Script:
    """A Lua script, called by its hash; a server that does not know it gets it once.

    Args:
        text: its source.
    """

    __slots__ = ("_sha", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def words(self, keys: Sequence[Word], args: Iterable[Word]) -> list[Word]:
        """The command that calls it."""
        return ["EVALSHA", self._sha, len(keys), *keys, *args]

    def source(self, keys: Sequence[Word], args: Iterable[Word]) -> list[Word]:
        """The command that calls it and teaches it."""
        return ["EVAL", self._text, len(keys), *keys, *args]

    def run(
        self,
        wire: Wire,
        keys: Sequence[Word],
        args: Sequence[Word],
        deadline: Deadline,
        idle_s: float | None = None,
    ) -> Any:
        """Call it.

        Raises:
            ReplyError: what the server refused; OSError: as for :meth:`Wire.ask`.
        """
        [reply] = wire.ask_all([self.words(keys, args)], deadline, idle_s)
        if isinstance(reply, UnknownScript):  # it did not run
            [reply] = wire.ask_all([self.source(keys, args)], deadline, idle_s)
        if isinstance(reply, ReplyError):
            raise reply
        return reply
