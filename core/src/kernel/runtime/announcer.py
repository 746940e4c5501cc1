"""Sends the signals of a worker node about messages (features.md 2.7). Nothing is made for those nobody listens to."""

from collections.abc import Mapping

from kernel.contracts.broker import Outgoing
from kernel.engine.attempt import RunnableTask
from kernel.engine.failure import ExceptionInfo
from kernel.engine.loss import LossPlan
from kernel.errors import InvalidTaskError, NotRegistered
from kernel.model import context, states
from kernel.runtime.ledger import Entry
from kernel.runtime.request import Request
from kernel.runtime.signal_table import task_failure, task_received, task_rejected, task_revoked, task_unknown


class Announcer:
    """Tells signals what happens to tasks in this node.

    Args:
        tasks: the registry; senders are its tasks.
        hostname: name of the node.
    """

    def __init__(self, tasks: Mapping[str, RunnableTask], hostname: str) -> None:
        self._tasks = tasks
        self._hostname = hostname

    def received(self, entry: Entry) -> None:
        """A task was admitted."""
        if task_received.receivers:
            request = entry.request or Request(self._tasks[entry.run.task], entry, self._hostname)
            task_received.send(self._hostname, request=request)

    def unknown(self, task: str, task_id: str) -> None:
        """A task nobody registered here."""
        if task_unknown.receivers:
            task_unknown.send(self._hostname, name=task, id=task_id, message=None, exc=NotRegistered(task))

    def rejected(self, message: Outgoing, reason: str) -> None:
        """A message that is none of a task, or was delivered too often."""
        if task_rejected.receivers:
            task_rejected.send(self._hostname, message=message, exc=InvalidTaskError(reason))

    def revoked(self, task: str, task_id: str, *, expired: bool = False, terminated: bool = False) -> None:
        """A task that is not to run, or was ended by command."""
        if task_revoked.receivers:
            request = context.Request(id=task_id, task=task, hostname=self._hostname, called_directly=False)
            task_revoked.send(
                self._tasks.get(task),
                request=request,
                terminated=terminated,
                signum="SIGTERM" if terminated else None,
                expired=expired,
            )

    def lost(self, entry: Entry, decided: LossPlan) -> None:
        """A task whose executor ended, when that is its end."""
        if decided.error is None:
            return
        if decided.state == states.REVOKED:
            self.revoked(entry.run.task, entry.run.id, terminated=True)
        elif task_failure.receivers:
            info = ExceptionInfo(decided.error, "")
            task_failure.send(
                self._tasks.get(entry.run.task),
                task_id=entry.run.id,
                exception=decided.error,
                args=(),
                kwargs={},
                traceback="",
                einfo=info,
            )
