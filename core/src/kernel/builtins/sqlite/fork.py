"""Keeping what must not cross a fork from crossing it.

SQLite keeps its view of file locks per process, and a fork copies that view but not the locks. So no transaction of
ours may be running at a fork, and the child closes what it inherited before it opens anything: then SQLite's view in
the child is empty and true. The parent is not affected, as its locks belong to its process id.
"""

import os
import threading
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """Something that holds a lock, a connection or a descriptor over forks."""

    def before_fork(self) -> None:
        """In the parent: come to rest."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Let go of everything inherited."""


class ForkGuard:
    """Calls everything that is registered around each fork of this process."""

    def __init__(self) -> None:
        self._members: weakref.WeakSet[ForkAware] = weakref.WeakSet()
        self._resting: list[ForkAware] = []
        self._installed = False
        self._registry = threading.Lock()
        self._turn = threading.Lock()

    def watch(self, member: ForkAware) -> None:
        """Register; a member that is garbage is forgotten. The caller may hold the member's own lock."""
        with self._registry:
            self._members.add(member)
            if not self._installed:
                self._installed = True
                os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)

    def _before(self) -> None:
        # One fork at a time. The registry is free while any member's lock is waited for, because a thread that has
        # such a lock may be registering something; at last nothing is new, and the registry stays closed.
        self._turn.acquire()
        while True:
            self._registry.acquire()
            new = [member for member in self._members if member not in self._resting]
            if not new:
                return
            self._registry.release()
            for member in new:
                member.before_fork()
                self._resting.append(member)

    def _in_parent(self) -> None:
        resting, self._resting = self._resting, []
        for member in resting:
            member.after_fork_in_parent()
        self._registry.release()
        self._turn.release()

    def _in_child(self) -> None:
        resting, self._resting = self._resting, []
        for member in resting:
            member.after_fork_in_child()
        self._registry.release()
        self._turn.release()


GUARD = ForkGuard()
