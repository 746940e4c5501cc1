"""The way to the server: every call of an author's verb goes through here."""

from collections.abc import Iterator
from contextlib import contextmanager

from kernel.contracts.deadline import Deadline
from kernel.contracts.simple.handles import Handle, Handles
from kernel.contracts.simple.natives import BROKEN, Natives
from kernel.errors import Code, DriverError


class Line:
    """Lends connections to calls, translates what they raise, and lets go of connections that broke.

    Args:
        handles: where connections come from.
        natives: the translation.
        name: whose line it is, for messages.
        private: whether it belongs to one consumer, and ends with it.
    """

    def __init__(self, handles: Handles, natives: Natives, name: str, *, private: bool = False) -> None:
        self.handles = handles
        self.private = private
        self._natives = natives
        self._name = name
        self.opened = False

    def check_open(self) -> None:
        """Refuse to go on when nobody opened it.

        Raises:
            DriverError: CLOSED.
        """
        if not self.opened:
            raise DriverError(Code.CLOSED, f"{self._name} is not open", cure="Call open() first.")

    @contextmanager
    def call(self, what: str, deadline: Deadline) -> Iterator[Handle]:
        """A connection for one call.

        Raises:
            DriverError: CLOSED, TIMEOUT when the deadline has passed already, what connecting came to, and what
                stands inside came to.
        """
        self.check_open()
        deadline.check(f"{self._name}: {what}")
        handle = self.connected(deadline)
        try:
            self._check_still_open(handle)
            yield handle
        except Exception as error:
            found = self._natives.translate(error, what)
            if found.code in BROKEN:
                self.handles.drop(handle)
            if found is error:
                raise
            raise found from error
        finally:
            self.handles.give_back(handle)

    def _check_still_open(self, handle: Handle) -> None:
        """A connection made while another thread closed everything is not in the list that was closed."""
        if not self.opened:
            self.handles.drop(handle)
            self.check_open()

    def close(self) -> None:
        """No more calls; connections end now, or when the calls on them do."""
        self.opened = False
        self.handles.close()

    def connected(self, deadline: Deadline) -> Handle:
        """A connection, to be given back.

        Raises:
            DriverError: what connecting came to; nothing was applied.
        """
        try:
            return self.handles.take(deadline)
        except Exception as error:
            found = self._natives.translate(error, "connecting", reached=False)
            if found is error:
                raise
            raise found from error
