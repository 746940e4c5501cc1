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
        self._forking: list[ForkAware] = []
        self._installed = False
        self._lock = threading.Lock()

    def watch(self, member: ForkAware) -> None:
        """Register; a member that is garbage is forgotten."""
        with self._lock:
            self._members.add(member)
            if not self._installed:
                self._installed = True
                os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)

    def _before(self) -> None:
        self._lock.acquire()
        self._forking = list(self._members)
        for member in self._forking:
            member.before_fork()

    def _in_parent(self) -> None:
        members, self._forking = self._forking, []
        for member in members:
            member.after_fork_in_parent()
        self._lock.release()

    def _in_child(self) -> None:
        members, self._forking = self._forking, []
        for member in members:
            member.after_fork_in_child()
        self._lock.release()


GUARD = ForkGuard()
