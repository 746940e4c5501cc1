"""``rpc://``: results as messages to the client that waits for them, over the broker itself (wire.md 10.3).

A client's reply queue belongs to its process. It is durable and has no binding; it is declared before a message that
names it is sent, and removed when the process ends. It is not declared auto-delete: a broker removes such a queue
with its last consumer, so every lost connection would take the results with it that came meanwhile. A queue whose
process died without a word goes after ``result_expires``.
"""

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from kernel.contracts.backend import Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.broker import Broker, Outgoing, PublishResult
from kernel.contracts.capabilities import BackendCaps, BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.engine.reply_document import ReplyDocuments
from kernel.errors import Code, DriverError, KernelError
from kernel.model.config import Config
from kernel.model.topology import QueueSpec
from kernel.runtime.link import Link, LinkPolicy
from kernel.runtime.mailbox import Mailbox
from kernel.runtime.reply_reader import ReplyReader

logger = logging.getLogger("kernel.replies")

SCHEME = "rpc"

_FIRST_LOOK_S = 1.0
_GOODBYE_S = 1.0
_NOBODY = frozenset({Code.NOT_FOUND, Code.INVALID})
"""The queue is gone, or what a client named was never one: no reason for a task to fail."""
_HELD = 1000
"""Results received and not yet kept."""


class Wiring(Protocol):
    """What it needs around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def config(self) -> Config:
        """``result_persistent``, timeouts."""

    @property
    def mailbox(self) -> Mailbox:
        """The letter box of this process."""

    @property
    def broker(self) -> Broker:
        """The open broker."""

    @property
    def broker_caps(self) -> BrokerCaps:
        """What it can do."""

    def open_broker(self, deadline: Deadline) -> Broker:
        """The broker, opened by then at the latest."""


class ReplyBackend(ResultBackend):
    """Sends results, and reads those that come to this process.

    Args:
        wiring: the broker and the settings.
        documents: messages as records, and back.
    """

    def __init__(self, wiring: Wiring, documents: ReplyDocuments) -> None:
        self._wiring = wiring
        self._documents = documents
        self._reader: ReplyReader | None = None
        self._lock = threading.Lock()
        self._declared_at: float | None = None
        self._queue = QueueSpec("")
        wiring.mailbox.owner = id(self)
        _to_retire.add(self)

    def capabilities(self) -> BackendCaps:
        """A result is pushed, goes to one process only, and lives as long as that."""
        return BackendCaps(persist=bool(self._wiring.config.result_persistent), notify=True, volatile=True)

    def open(self, deadline: Deadline) -> None:
        """Nothing: the broker connects when it is first used."""

    def close(self, deadline: Deadline) -> None:
        """Stop reading. The queue stays when results may still come to it."""
        self._stop(deadline)
        if self._wiring.mailbox.settled:
            self._remove_queue(deadline)
        elif self._declared_at is not None:
            _left_behind[self._wiring.mailbox.oid] = self

    def ping(self, deadline: Deadline) -> None:
        """Ask the broker."""
        self._wiring.broker.ping(deadline)

    def after_fork(self) -> None:
        """The child starts with an empty letter box and an address of its own."""
        self._lock = threading.Lock()
        self._reader = None
        self._declared_at = None
        self._wiring.mailbox.owner = id(self)
        _left_behind.clear()

    # The worker's side

    def store(
        self,
        records: Sequence[Record],
        mode: StoreMode,
        deadline: Deadline,
    ) -> list[StoreResult]:
        """Send each record to its ``reply_to``, all in one batch.

        A client that is gone, and a message that named no reply queue, have nobody to tell: that is no error.
        """
        addressed = [record for record in records if record.reply_to]
        if not addressed:
            return [StoreResult()] * len(records)
        broker = self._wiring.open_broker(deadline)
        sent = iter(broker.publish([self._message(record) for record in addressed], deadline))
        return [_stored(next(sent)) if record.reply_to else StoreResult() for record in records]

    def _message(self, record: Record) -> Outgoing:
        body, content_type, content_encoding = self._documents.write(record)
        queue = record.reply_to or ""
        return Outgoing(
            queue=queue,
            body=body,
            headers={},
            id=record.id,
            content_type=content_type,
            content_encoding=content_encoding,
            priority=0 if self._wiring.broker_caps.priority else None,
            routing_key=queue,
            correlation_id=record.id,
            persistent=bool(self._wiring.config.result_persistent),
        )

    # The client's side

    def queue(self) -> QueueSpec:
        """The reply queue, as it is declared with the first message that names it."""
        mailbox, known = self._wiring.mailbox, self._queue
        if known.name != mailbox.oid or known.expires_s != mailbox.ttl_s:
            known = self._queue = QueueSpec(mailbox.oid, expires_s=mailbox.ttl_s)
        return known

    def declare_again(self) -> bool:
        """Whether the queue is to be declared with the next message: at first, and before it may count as unused."""
        now, ttl = time.monotonic(), self._wiring.mailbox.ttl_s
        if self._declared_at is not None and (ttl is None or now < self._declared_at + ttl / 2.0):
            return False
        self._declared_at = now
        return True

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """The last state that came, None while none did.

        Raises:
            DriverError: NOT_FOUND for a task that this process did not send.
        """
        self._read().look(Deadline(min(deadline.at, Deadline.after(_FIRST_LOOK_S).at)))
        return self._wiring.mailbox.fetch(ids)

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """See :meth:`ResultBackend.wait`; also NOT_FOUND, and what makes the broker unusable."""
        self._read()
        return self._wiring.mailbox.wait(ids, need, deadline)

    def follow(self, task_id: str, seen: Sequence[Record], deadline: Deadline) -> list[Record]:
        """Every state that came, none left out."""
        self._read()
        return self._wiring.mailbox.follow(task_id, len(seen), deadline)

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """Let go of what came."""
        return self._wiring.mailbox.forget(ids)

    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        """Nothing is kept that another process could ask for.

        Raises:
            DriverError: UNSUPPORTED.
        """
        raise self.unsupported("saved groups")

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        """As :meth:`save_group`."""
        raise self.unsupported("saved groups")

    def retire(self) -> None:
        """At the end of the process: stop, and remove the queue."""
        deadline = Deadline.after(_GOODBYE_S)
        self._stop(deadline)
        self._remove_queue(deadline)

    def _stop(self, deadline: Deadline) -> None:
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop(deadline)

    def _remove_queue(self, deadline: Deadline) -> None:
        """Unless it was never made, or other services use it by now."""
        mailbox = self._wiring.mailbox
        if self._declared_at is None or mailbox.owner != id(self):
            return
        self._declared_at = None
        try:
            self._wiring.open_broker(deadline).delete([mailbox.oid], deadline)
        except DriverError as error:
            logger.debug("The reply queue is left to expire: %s", error)

    def _read(self) -> ReplyReader:
        reader = self._reader
        if reader is not None and reader.alive:
            return reader
        with self._lock:
            if self._reader is None or not self._reader.alive:
                self._reader = self._make_reader()
                self._reader.start()
            return self._reader

    def _make_reader(self) -> ReplyReader:
        wiring, queue = self._wiring, self.queue()
        self._declared_at = time.monotonic()
        policy = LinkPolicy(timeout_s=wiring.config.broker_connection_timeout)
        link = Link(wiring, [queue], [queue.name], policy, prefetch=_HELD, log=logger)
        return ReplyReader(link, wiring.mailbox, self._record)

    def _record(self, message: Outgoing) -> Record | None:
        try:
            return self._documents.read(message)
        except KernelError as error:
            logger.warning("A message in the reply queue is no result and is dropped: %s", error.one_line())
            return None


def _stored(result: PublishResult) -> StoreResult:
    error = result.error
    if error is None:
        return StoreResult()
    if error.code in _NOBODY:
        logger.debug("Nobody waits for a result: %s", error)
        return StoreResult()
    return StoreResult(stored=False, error=error)


_left_behind: dict[str, ReplyBackend] = {}
"""Those that were closed while results were on their way, by address: the queue is there, and they know the broker."""

_to_retire: "weakref.WeakSet[ReplyBackend]" = weakref.WeakSet()


@atexit.register
def _retire() -> None:
    for backend in {*_to_retire, *_left_behind.values()}:
        with suppress(Exception):  # the interpreter ends; whatever fails, the queue expires
            backend.retire()
