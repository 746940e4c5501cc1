"""What happens to a received message before it runs: each verdict of :func:`kernel.engine.admit.admit` carried out."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernel.contracts.broker import Delivery, Settle, SettleKind
from kernel.engine.admit import Expired, Later, Malformed, Revoked, Rules, Run, Unknown, Verdict, admit
from kernel.engine.attempt import RunnableTask
from kernel.engine.codec import Codec
from kernel.engine.postpone import postponement
from kernel.errors import CodecError, InvalidTaskError, NotRegistered, TaskRevokedError, WorkerLostError
from kernel.model import states
from kernel.model.message import read_body
from kernel.model.options import TaskOptions
from kernel.runtime.desk import Desk
from kernel.runtime.endings import Ending
from kernel.runtime.ledger import Entry
from kernel.runtime.request import Request, new_request

logger = logging.getLogger("kernel.worker")

_SLACK = 3
"""A broker that cannot take attempts back has counted deliveries that never began, too: at every shutdown, say."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a node knows of a task, looked up once.

    Attributes:
        task: the task.
        options: its frozen options.
        request: its own request class, None for the default (features.md 1.20).
    """

    task: RunnableTask
    options: TaskOptions
    request: type[Request] | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The tasks of a node, and what admission needs to know of them.

    Attributes:
        tasks: by name.
        rules: what may run, and when.
        hostname: name of the node.
        delivery_limit: executors one message may cost before it is quarantined (``task_delivery_limit``).
    """

    tasks: Mapping[str, Listed]
    rules: Rules
    hostname: str
    delivery_limit: int

    @property
    def watched(self) -> bool:
        """Whether any task has a request class of its own."""
        return any(listed.request is not None for listed in self.tasks.values())


class Intake:
    """Admits deliveries.

    Args:
        catalogue: the tasks.
        codec: reads the body of a message that has no headers (protocol 1).
        desk: where the verdicts are carried out.
    """

    def __init__(self, catalogue: Catalogue, codec: Codec, desk: Desk) -> None:
        self._catalogue = catalogue
        self._rules = catalogue.rules
        self._tasks = catalogue.tasks
        self._delivery_limit = catalogue.delivery_limit
        self._codec = codec
        self._desk = desk

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Admit newly received messages."""
        now = time.time()
        late: list[tuple[int, Delivery]] = []
        for delivery in deliveries:
            tag = self._desk.ledger.next_tag()
            if self._sorted(tag, delivery, now):
                late.append((tag, delivery))
        if late:
            self._desk.leases.watch(late)

    def take_due(self, due: Sequence[tuple[int, Delivery]]) -> None:
        """Admit messages that waited here until now; their leases are watched already."""
        now = time.time()
        for tag, delivery in due:
            if not self._sorted(tag, delivery, now, held=True):
                self._desk.leases.forget(tag)

    def _sorted(self, tag: int, delivery: Delivery, now: float, *, held: bool = False) -> bool:
        """:meth:`_sort`; nothing that a message contains may end the node, not even by a defect of ours."""
        try:
            return self._sort(tag, delivery, now, held=held)
        except Exception as error:
            logger.exception("Message %r could not be looked at and is quarantined", delivery.message.id)
            reason = f"it could not be looked at: {type(error).__name__}: {error}"
            self._desk.settle(Settle(delivery, SettleKind.REJECT, reason=reason, started=False))
            return False

    def _sort(self, tag: int, delivery: Delivery, now: float, *, held: bool) -> bool:
        """Carry out the verdict on one message; whether its lease must be kept from now on."""
        headers = delivery.message.headers or {}
        verdict: Verdict
        try:
            if "task" not in headers:
                headers = self._headers_in_body(delivery)
            verdict = admit(headers, self._rules, now)
        except (CodecError, InvalidTaskError) as error:
            verdict = Malformed(f"{type(error).__name__}: {error}")
        if isinstance(verdict, Run):
            listed = self._tasks[verdict.task]
            return self._run(Entry(tag, delivery, headers, verdict, listed.options, received_at=now), listed)
        if isinstance(verdict, Later):
            how = postponement(verdict.delay_s, self._desk.caps, held=held)
            return self._desk.postpone(delivery, tag, how, now)
        self._refuse(delivery, headers, verdict)
        return False

    def _run(self, entry: Entry, listed: Listed) -> bool:
        attempt = entry.delivery.attempt
        limit = self._delivery_limit if self._desk.caps.uncount else self._delivery_limit * _SLACK
        if attempt is not None and attempt > limit:
            self._poison(entry, attempt, limit)
            return False
        if listed.request is not None:
            entry.request = new_request(listed.request, listed.task, entry, self._catalogue.hostname)
        self._desk.tell.received(entry)
        if entry.options.acks_late:
            self._desk.settlement.ready(entry)
            return True
        self._desk.settlement.begin(entry)
        return False

    def _refuse(
        self, delivery: Delivery, headers: Mapping[str, Any], verdict: Expired | Revoked | Unknown | Malformed
    ) -> None:
        desk, ignored = self._desk, headers.get("ignore_result") is True
        match verdict:
            case Malformed(reason):
                desk.tell.malformed(delivery.message, reason)
                desk.settle(Settle(delivery, SettleKind.REJECT, reason=reason, started=False))
            case Unknown(task, task_id):
                desk.tell.unknown(task, task_id, delivery.message.queue)
                reject = Settle(delivery, SettleKind.REJECT, reason=f"unknown task {task!r}", started=False)
                desk.end(Ending(delivery, headers, NotRegistered(task), ignored=ignored), reject)
            case Expired(task, task_id) | Revoked(task, task_id):
                expired = isinstance(verdict, Expired)
                desk.tell.discarded(task, task_id, expired=expired)
                error = TaskRevokedError("expired" if expired else "revoked")
                acknowledge = Settle(delivery, SettleKind.ACK, started=False)
                desk.end(Ending(delivery, headers, error, states.REVOKED, ignored), acknowledge)

    def _poison(self, entry: Entry, attempt: int, limit: int) -> None:
        """It was delivered more often than it may kill: whole nodes died of it before one could say so (pains P05)."""
        reason = f"delivered {attempt} times without an answer; limit: {limit}"
        self._desk.tell.quarantined(entry, reason)
        error = WorkerLostError(f"{entry.title} was {reason}.")
        ending = Ending(entry.delivery, entry.headers, error, ignored=entry.headers.get("ignore_result") is True)
        self._desk.end(ending, Settle(entry.delivery, SettleKind.REJECT, reason=reason))

    def _headers_in_body(self, delivery: Delivery) -> Mapping[str, Any]:
        """The headers of a protocol 1 message, which stand in its body (wire.md 4).

        Raises:
            CodecError: when the body cannot be decoded.
            InvalidTaskError: when it is no protocol 1 body.
        """
        message = delivery.message
        headers = message.headers or {}
        payload = self._codec.decode(
            message.body, message.content_type, message.content_encoding, headers.get("compression")
        )
        return read_body(headers, payload).headers
