"""Records in and out of the server: a document of wire.md 10.1 for each key, told of on a channel of that name."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kernel.contracts import Deadline, Record, StoreMode, StoreResult
from kernel.contracts.document import Documents
from kernel.errors import Applied, Code, DriverError
from kernel.model.states import READY_STATES, SUCCESS
from plugin_backend_redis.joins import milliseconds
from plugin_backend_redis.layout import Layout
from plugin_backend_redis.scripts import REPLACE, STORE
from plugin_common_redis import Wire, Word

CHUNK: Final = 100
CHUNK_BYTES: Final = 4 << 20
"""One script stores so many documents, or so many bytes: others wait meanwhile."""
FETCH_CHUNK: Final = 500
_TRIES: Final = 10
_STORED: Final = StoreResult()
_KEPT: Final = StoreResult(stored=False)


class Records:
    """Writes and reads for one backend. Safe in any thread: a connection is given to each call."""

    def __init__(self, layout: Layout, documents: Documents, limit: int) -> None:
        self._layout = layout
        self._documents = documents
        self._limit = limit

    def store(self, wire: Wire, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.ResultBackend.store`."""
        results = [_STORED] * len(records)
        taken: list[tuple[int, bytes, bytes]] = []
        for index, record in enumerate(records):
            try:
                taken.append((index, self._layout.task(record.id), self._document(record)))
            except DriverError as error:
                results[index] = StoreResult(stored=False, error=error)
        for chunk in _chunks(taken):
            args: list[Word] = [str(mode)]
            for index, _, document in chunk:
                args += [milliseconds(records[index].ttl_s), document]
            fates = STORE.run(wire, [key for _, key, _ in chunk], args, deadline)
            for (index, key, document), fate in zip(chunk, fates, strict=True):
                if fate == 0:
                    results[index] = _KEPT
                elif fate != 1:
                    results[index] = self._compared(wire, records[index], (key, document), mode, deadline)
        return results

    def fetch(self, wire: Wire, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.ResultBackend.fetch`."""
        wanted = list(dict.fromkeys(one for one in ids if _is_text(one)))
        commands = self.reading(wanted)
        values = [value for reply in wire.ask_all(commands, deadline) for value in good(reply)]
        found = {one: self.read(one, value) for one, value in zip(wanted, values, strict=True)}
        return [found.get(one) for one in ids]

    def reading(self, ids: Sequence[str]) -> list[list[Word]]:
        """The commands that read documents; their replies, one after another, are as many as the ids."""
        keys: list[Word] = [self._layout.task(one) for one in ids]
        return [["MGET", *keys[start : start + FETCH_CHUNK]] for start in range(0, len(keys), FETCH_CHUNK)]

    def read(self, record_id: str, value: bytes | None) -> Record | None:
        """The record a document holds."""
        return None if value is None else self._documents.read(record_id, value)

    def forget(self, wire: Wire, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.ResultBackend.forget`."""
        keys: list[Word] = [self._layout.task(one) for one in dict.fromkeys(ids) if _is_text(one)]
        commands = [["UNLINK", *keys[start : start + FETCH_CHUNK]] for start in range(0, len(keys), FETCH_CHUNK)]
        return sum(good(reply) for reply in wire.ask_all(commands, deadline))

    def _document(self, record: Record) -> bytes:
        size = len(record.result or b"")
        if size > self._limit:
            raise DriverError(
                Code.TOO_LARGE,
                f"The result of {record.id!r} has {size} bytes; the limit is max_body={self._limit}",
                cure="Return a reference to the data instead.",
            )
        return self._documents.write(record)

    def _compared(
        self, wire: Wire, record: Record, entry: tuple[bytes, bytes], mode: StoreMode, deadline: Deadline
    ) -> StoreResult:
        """Store over a document whose state the server cannot read: it is read here, and replaced if it is the same."""
        key, document = entry
        for _ in range(_TRIES):
            old = wire.ask(["GET", key], deadline)
            if old is not None:
                status = self._documents.read(record.id, old).status
                if status == SUCCESS or (mode is StoreMode.IF_NOT_FINAL and status in READY_STATES):
                    return _KEPT
                args: list[Word] = [old, milliseconds(record.ttl_s), document]
                if REPLACE.run(wire, [key], args, deadline):
                    return _STORED
            elif STORE.run(wire, [key], [str(mode), milliseconds(record.ttl_s), document], deadline) == [1]:
                return _STORED
        return StoreResult(
            stored=False,
            error=DriverError(
                Code.UNAVAILABLE, f"The state of {record.id!r} changes all the time", outcome=Applied.NOT_APPLIED
            ),
        )


def _chunks(entries: Sequence[tuple[int, bytes, bytes]]) -> Iterator[list[tuple[int, bytes, bytes]]]:
    chunk: list[tuple[int, bytes, bytes]] = []
    size = 0
    for entry in entries:
        if chunk and (len(chunk) >= CHUNK or size + len(entry[2]) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += len(entry[2])
    if chunk:
        yield chunk


def _is_text(record_id: str) -> bool:
    """Whether it can be the id of anything that is stored."""
    try:
        record_id.encode()
    except UnicodeEncodeError:
        return False
    return True


def good(reply: Any) -> Any:
    """A reply, unless it is a refusal: that is raised."""
    if isinstance(reply, Exception):
        raise reply
    return reply
