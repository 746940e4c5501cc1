"""Looks after the quarantine queue, with any broker: list, show, replay, purge (pains P06, P18)."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from kernel.contracts.backend import StoreMode
from kernel.contracts.broker import Broker, Consumer, Delivery, Settle, SettleKind
from kernel.contracts.deadline import Deadline
from kernel.engine.quarantine import again, origin, reason
from kernel.engine.records import failure_request
from kernel.engine.topology import quarantine_spec, queue_spec
from kernel.errors import KernelError
from kernel.model import states
from kernel.model.message import read_body
from kernel.runtime.boot import Services

_TIMEOUT_S = 10.0
_PATIENCE_S = 1.0
"""How long a queue must be silent to count as empty: some brokers find their messages only after a moment."""

_BATCH = 100
_SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Kept:
    """One message in quarantine.

    Attributes:
        id: the task id, or the broker's id of a message that names none.
        task: the task's name, None when the message names none.
        queue: where it came from, None when nobody knows.
        reason: why it is here.
        delivery: the message itself.
    """

    id: str
    task: str | None
    queue: str | None
    reason: str
    delivery: Delivery = field(repr=False)

    @classmethod
    def of(cls, delivery: Delivery) -> "Kept":
        """From a delivery of the quarantine queue."""
        headers = delivery.message.headers or {}
        task_id, task = headers.get("id"), headers.get("task")
        return cls(
            id=task_id if isinstance(task_id, str) and task_id else delivery.message.id,
            task=task if isinstance(task, str) else None,
            queue=origin(delivery),
            reason=reason(delivery),
            delivery=delivery,
        )

    def named(self, ids: Collection[str]) -> bool:
        """Whether one of these is its id, or the id the broker knows it by."""
        return self.id in ids or self.delivery.message.id in ids


@dataclass(slots=True)
class Replayed:
    """What a replay did, by id: sent, not found, or refused and why. Refused messages stay in quarantine."""

    sent: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class Quarantine:
    """The quarantine of one application.

    Args:
        services: its broker, result backend and codec.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._spec = quarantine_spec(services.config)

    @property
    def queue(self) -> str:
        """The name of the queue."""
        return self._spec.name

    def list(self, limit: int = 100) -> list[Kept]:
        """The oldest messages, at most ``limit``. They stay.

        Raises:
            DriverError: when the broker cannot be asked.
        """
        broker = self._opened()
        if broker.capabilities().peek:
            return [Kept.of(delivery) for delivery in broker.peek(self.queue, limit, _soon())]
        with _Walk(broker.consumer([self.queue], 0)) as walk:
            return [kept for kept, _ in zip(walk, range(limit), strict=False)]

    def show(self, task_id: str) -> dict[str, Any] | None:
        """Everything about one message; None when it is not here. The body is decoded as far as that is allowed."""
        with _Walk(self._opened().consumer([self.queue], 0)) as walk:
            for kept in walk:
                if kept.named({task_id}):
                    return self._described(kept)
        return None

    def replay(self, ids: Collection[str] | None = None, queue: str | None = None) -> Replayed:
        """Send messages again, as if they had never been delivered, and forget how they ended before.

        Args:
            ids: which; None is all.
            queue: where to; None is the queue each came from, or the default queue where nobody knows.

        Raises:
            DriverError: when the broker cannot be asked.
        """
        done = Replayed()
        with _Walk(self._opened().consumer([self.queue], 0)) as walk:
            for kept in walk:
                if ids is not None and not kept.named(ids):
                    continue
                try:
                    self._send_again(kept, queue)
                except KernelError as error:
                    done.refused[kept.id] = error.one_line()
                    continue
                walk.end(kept)
                done.sent.append(kept.id)
            done.missing = [task_id for task_id in ids or () if task_id not in walk.seen]
        return done

    def purge(self, ids: Collection[str] | None = None) -> int:
        """Delete messages for good; how many.

        Args:
            ids: which; None is all.

        Raises:
            DriverError: when the broker cannot be asked.
        """
        broker = self._opened()
        if ids is None and broker.capabilities().purge:
            count = broker.purge([self.queue], _soon())[self.queue]
            if count is not None:
                return count
        deleted = 0
        with _Walk(broker.consumer([self.queue], 0)) as walk:
            for kept in walk:
                if ids is None or kept.named(ids):
                    walk.end(kept)
                    deleted += 1
        return deleted

    def _opened(self) -> Broker:
        broker = self._services.broker
        broker.declare([self._spec], _soon())
        return broker

    def _send_again(self, kept: Kept, queue: str | None) -> None:
        """Reset the result first, so that what the new run stores is not overwritten; then publish."""
        name = queue or kept.queue or self._services.topology.default_queue
        broker = self._services.broker
        broker.declare([queue_spec(self._services.topology, name)], _soon())
        self._reset(kept)
        (result,) = broker.publish([again(kept.delivery.message, name)], _soon())
        if result.error is not None:
            raise result.error

    def _reset(self, kept: Kept) -> None:
        """Back to PENDING, unless the task has succeeded meanwhile: a success is never lost."""
        backend = self._services.backend
        if backend is None:
            return
        (stored,) = backend.fetch([kept.id], _soon())
        if stored is None or stored.status == states.SUCCESS:
            return
        message = kept.delivery.message
        request = failure_request(message.headers or {}, kept.id, message.reply_to)
        record = self._services.records.state(request, states.PENDING, None, self._services.node, time.time())
        (result,) = backend.store([record], StoreMode.UPSERT, _soon())
        if result.error is not None:
            raise result.error

    def _described(self, kept: Kept) -> dict[str, Any]:
        message = kept.delivery.message
        return {
            "id": kept.id,
            "task": kept.task,
            "queue": kept.queue,
            "reason": kept.reason,
            "headers": dict(message.headers or {}),
            "content_type": message.content_type,
            "content_encoding": message.content_encoding,
            "size": len(message.body),
            **self._body(kept),
        }

    def _body(self, kept: Kept) -> dict[str, Any]:
        """Its arguments; for a body that cannot be decoded, why, and how it begins."""
        message = kept.delivery.message
        headers = message.headers or {}
        try:
            decoded = self._services.codec.decode(
                message.body, message.content_type, message.content_encoding, headers.get("compression")
            )
            body = read_body(headers, decoded)
        except KernelError as error:
            return {"undecodable": error.one_line(), "body": repr(message.body[:_SHOWN])}
        return {"args": list(body.args), "kwargs": body.kwargs}


class _Walk:
    """Goes through a queue once, and gives back what was not ended.

    Args:
        consumer: of that queue; closed at the end.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._held: dict[int, Delivery] = {}
        self.seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        kept = [Settle(delivery, SettleKind.RELEASE, started=False) for delivery in self._held.values()]
        try:
            if kept:
                self._consumer.settle(kept, _soon())
        finally:
            self._consumer.close(True, _soon())

    def __iter__(self) -> Iterator[Kept]:
        while True:
            batch = self._consumer.receive(_BATCH, _PATIENCE_S)
            if not batch:
                return
            for delivery in batch:
                self._held[id(delivery)] = delivery
            for delivery in batch:
                kept = Kept.of(delivery)
                self.seen.update((kept.id, delivery.message.id))
                yield kept

    def end(self, kept: Kept) -> None:
        """Take this one out of the queue for good.

        Raises:
            DriverError: when it could not be.
        """
        (result,) = self._consumer.settle([Settle(kept.delivery, SettleKind.ACK)], _soon())
        if result.error is not None:
            raise result.error
        self._held.pop(id(kept.delivery), None)


def _soon() -> Deadline:
    return Deadline.after(_TIMEOUT_S)
