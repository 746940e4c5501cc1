"""Writing records: what a mode may overwrite is decided and written in one step of the server."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernel.contracts.backend import Record, StoreMode, StoreResult
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model.states import READY_STATES, SUCCESS
from plugin_backend_memcached.connection import STORED, Connection
from plugin_backend_memcached.expiry import expiry
from plugin_backend_memcached.graves import GRAVE
from plugin_backend_memcached.shelf import Shelf
from plugin_backend_memcached.values import parts_of

WHAT = "storing results"
_FINAL: Mapping[StoreMode, frozenset[str]] = {
    StoreMode.IF_NOT_FINAL: READY_STATES,
    StoreMode.IF_NOT_SUCCESS: frozenset({SUCCESS}),
}
"""States that the guarded modes keep."""


@dataclass(frozen=True, slots=True)
class Write:
    """One record on its way: its place in the batch, its key, the item, and the number for its time to live."""

    place: int
    key: str
    item: bytes
    expire: int


class Storing:
    """One call of ``store``.

    Args:
        shelf: where to.
        mode: what may be overwritten.
        deadline: of the call.
    """

    def __init__(self, shelf: Shelf, mode: StoreMode, deadline: Deadline) -> None:
        self._shelf = shelf
        self._mode = mode
        self._deadline = deadline
        self._results: dict[int, StoreResult] = {}
        self._refused: set[int] = set()

    def run(self, records: Sequence[Record]) -> list[StoreResult]:
        """Store a batch; a record that cannot be stored fails alone, and so do those of a server that is gone.

        Raises:
            DriverError: when no server took anything.
        """
        for wave in _waves(records):
            by_home: dict[str, list[Write]] = {}
            for place in wave:
                write = self._prepared(place, records[place])
                if write is not None:
                    by_home.setdefault(self._shelf.fleet.home(write.key), []).append(write)
            for name, writes in by_home.items():
                self._send(name, writes)
        self._raise_if_nothing_worked()
        return [self._results[place] for place in range(len(records))]

    def _prepared(self, place: int, record: Record) -> Write | None:
        shelf = self._shelf
        size = len(record.result or b"")
        if size > shelf.max_size:
            error = DriverError(
                Code.TOO_LARGE,
                f"The result of {record.id!r:.200} has {size} bytes; the limit is max_size={shelf.max_size}",
                cure="Return a reference to the data instead, or raise the option max_size.",
            )
            self._refused.add(place)
            self._results[place] = StoreResult(stored=False, error=error)
            return None
        expire = expiry(record.ttl_s, shelf.clock())
        try:
            item = shelf.values.cut(shelf.documents.write(record), record.status, expire, self._deadline)
        except DriverError as error:
            self._results[place] = StoreResult(stored=False, error=error)
            return None
        return Write(place, shelf.keys.task(record.id), item, expire)

    def _send(self, name: str, writes: list[Write]) -> None:
        """Store what one server has; who was overtaken by another writer tries again."""
        waiting = writes
        try:
            while waiting:
                self._deadline.check(f"memcached {name}: {WHAT}")
                with self._shelf.fleet.at(name, WHAT, self._deadline) as connection:
                    waiting = self._round(connection, waiting)
        except DriverError as error:
            self._results |= {write.place: StoreResult(stored=False, error=error) for write in waiting}
        for write in writes:
            if not self._results[write.place].stored:
                self._tidy(write.item)

    def _round(self, connection: Connection, writes: Sequence[Write]) -> list[Write]:
        """One try for each; those that must try again."""
        old: dict[str, tuple[bytes, bytes]] = {}
        tried = list(writes)
        if self._mode is StoreMode.UPSERT and self._shelf.tombstone_s is None:
            commands = [connection.write("set", one.key, one.item, one.expire) for one in writes]
        elif self._mode is StoreMode.IF_ABSENT:
            commands = [connection.write("add", one.key, one.item, one.expire) for one in writes]
        else:
            old = connection.tokens([one.key for one in writes])
            tried = [one for one in writes if not self._keeps(old.get(one.key))]
            commands = [_guarded(connection, one, old.get(one.key)) for one in tried]
        answers = dict(zip((one.place for one in tried), connection.send(commands), strict=True))
        again = []
        for one in writes:
            answer = answers.get(one.place)
            if answer == STORED:
                self._results[one.place] = StoreResult()
                if one.key in old:
                    self._tidy(old[one.key][0])
            elif answer is None or self._mode is StoreMode.IF_ABSENT:
                self._results[one.place] = StoreResult(stored=False)
            else:
                again.append(one)
        return again

    def _keeps(self, old: tuple[bytes, bytes] | None) -> bool:
        """Whether the mode keeps what is there. What is no record can be overwritten."""
        if old is None:
            return False
        if old[0] == GRAVE:
            return True
        final = _FINAL.get(self._mode, frozenset())
        parts = parts_of(old[0])
        if parts is not None:
            return parts.label in final
        try:
            return bool(final) and self._shelf.documents.read("", old[0]).status in final
        except DriverError:
            return False

    def _tidy(self, item: bytes) -> None:
        """Remove the parts of a large value nobody reads any more; they end by themselves if that fails."""
        with contextlib.suppress(DriverError):
            self._shelf.values.drop(item, self._deadline)

    def _raise_if_nothing_worked(self) -> None:
        told = [result for place, result in self._results.items() if place not in self._refused]
        if told and all(result.error is not None for result in told):
            error = told[0].error
            assert error is not None, "it was just looked at"
            raise error


def _guarded(connection: Connection, write: Write, old: tuple[bytes, bytes] | None) -> bytes:
    """The command that fails when somebody was faster."""
    if old is None:
        return connection.write("add", write.key, write.item, write.expire)
    return connection.write("cas", write.key, write.item, write.expire, old[1])


def _waves(records: Iterable[Record]) -> Iterator[list[int]]:
    """Places in a batch, in turns that hold every id once: the last of a batch wins."""
    turns: dict[str, int] = {}
    waves: list[list[int]] = []
    for place, record in enumerate(records):
        turn = turns.get(record.id, 0)
        turns[record.id] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(place)
    yield from waves
