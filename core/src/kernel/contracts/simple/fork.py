"""Letting go of inherited connections in a forked child, before anything there can use them."""

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """Something that holds connections, as every driver does."""

    def after_fork(self) -> None:
        """In the child: drop what was inherited without talking to the server."""


class ForkGuard:
    """Calls ``after_fork()`` of every member in every forked child. Members are held weakly."""

    def __init__(self) -> None:
        self._members: weakref.WeakSet[ForkAware] = weakref.WeakSet()
        self._installed = False

    def watch(self, member: ForkAware) -> None:
        """Register a member; more than once is once."""
        self._members.add(member)
        if not self._installed:
            self._installed = True
            os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        for member in list(self._members):
            member.after_fork()


FORKS = ForkGuard()
"""The one of this process; Python never forgets a fork handler, so there should not be many."""
