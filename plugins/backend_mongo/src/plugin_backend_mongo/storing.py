"""Writing records: what a mode may overwrite is decided and written in one step of the server.

A write replaces the document of an id if its filter matches, else inserts one. When the filter does not match because
the mode keeps what is there, the insertion meets the unique ``_id`` and is a duplicate. It may be one as well because
somebody else inserted meanwhile, or because the document has ended and is not yet removed: then a look at it tells
which, and the write is tried again. No filter has an ``$or``, which would keep some servers from using the index.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from kernel.contracts.backend import Record, StoreMode, StoreResult
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model.states import READY_STATES, SUCCESS
from plugin_backend_mongo.errors import DUPLICATE, code_of_write
from plugin_backend_mongo.layout import FORGOTTEN, Layout, until
from plugin_backend_mongo.session import Session

WHAT = "storing results"
AT_ONCE = 1000
"""Records of one command."""
_SEEN = {"status": 1, "until": 1}
_KEPT: Mapping[StoreMode, frozenset[str]] = {
    StoreMode.UPSERT: frozenset({FORGOTTEN}),
    StoreMode.IF_NOT_FINAL: READY_STATES | {FORGOTTEN},
    StoreMode.IF_NOT_SUCCESS: frozenset({SUCCESS, FORGOTTEN}),
}
"""States that the modes keep, of what has not ended; the one that is missing keeps all."""


class Storing:
    """One call of ``store``.

    Args:
        session: the deployment.
        layout: lays records out.
        mode: what may be overwritten.
        max_size: bytes of the largest result.
        deadline: of the call.
    """

    def __init__(self, session: Session, layout: Layout, mode: StoreMode, max_size: int, deadline: Deadline) -> None:
        self._session = session
        self._layout = layout
        self._mode = mode
        self._max_size = max_size
        self._deadline = deadline
        self._now_ms = session.now_ms(deadline)
        self._results: dict[int, StoreResult] = {}
        self._ended: set[int] = set()

    def run(self, records: Sequence[Record]) -> list[StoreResult]:
        """Store a batch; a record that cannot be stored fails alone.

        Raises:
            DriverError: when the server cannot be reached, or was lost: storing the same batch again is safe.
        """
        for wave in _waves(records):
            waiting = {place: doc for place in wave if (doc := self._document(place, records[place])) is not None}
            while waiting:
                self._deadline.check(WHAT)
                waiting = self._round(waiting)
        return [self._results[place] for place in range(len(records))]

    def _document(self, place: int, record: Record) -> dict[str, Any] | None:
        size = len(record.result or b"")
        if size > self._max_size:
            error = DriverError(
                Code.TOO_LARGE,
                f"The result of {record.id!r:.200} has {size} bytes; the limit is max_size={self._max_size}",
                cure="Return a reference to the data instead.",
            )
            self._results[place] = StoreResult(stored=False, error=error)
            return None
        try:
            return self._layout.document(record, until(record.ttl_s, self._now_ms))
        except DriverError as error:
            self._results[place] = StoreResult(stored=False, error=error)
            return None

    def _round(self, waiting: Mapping[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """One try for each; those that must try again."""
        places = list(waiting)
        writes = [ReplaceOne(self._filter(place, doc["_id"]), doc, upsert=True) for place, doc in waiting.items()]
        failed: dict[int, tuple[int, str]] = {}
        with self._session.call(WHAT, self._deadline) as database:
            collection = database[self._session.collection("taskmeta")]
            try:
                collection.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                failed = {places[one["index"]]: (one["code"], one["errmsg"]) for one in error.details["writeErrors"]}
                if not failed or error.details.get("writeConcernErrors"):
                    raise  # what was written is not yet as safe as it is to be, and writing it again is
            duplicates = [place for place, (code, _) in failed.items() if code == DUPLICATE]
            wanted = {"_id": {"$in": [waiting[place]["_id"] for place in duplicates]}}
            found = {one["_id"]: one for one in collection.find(wanted, _SEEN)} if duplicates else {}
        for place in places:
            self._results[place] = StoreResult()
        return self._settle(waiting, failed, found)

    def _settle(
        self, waiting: Mapping[int, dict[str, Any]], failed: Mapping[int, tuple[int, str]], found: Mapping[str, Any]
    ) -> dict[int, dict[str, Any]]:
        """Say what became of those that failed; duplicates that need not be any are tried again."""
        again = {}
        for place, (code, text) in failed.items():
            there = found.get(waiting[place]["_id"])
            if code != DUPLICATE:
                error = DriverError(code_of_write(code), f"The server refused a record: {text:.300}")
                self._results[place] = StoreResult(stored=False, error=error)
            elif there is not None and self._keeps(there):
                self._results[place] = StoreResult(stored=False)
            else:
                self._ended.discard(place)
                if there is not None and self._has_ended(there):
                    self._ended.add(place)
                again[place] = waiting[place]
        return again

    def _filter(self, place: int, record_id: str) -> dict[str, Any]:
        """What may be replaced: what has ended, or a document in a state that the mode does not keep."""
        if self._mode is StoreMode.IF_ABSENT or place in self._ended:
            return {"_id": record_id, "until": {"$lte": self._now_ms}}
        return {"_id": record_id, "status": {"$nin": sorted(_KEPT[self._mode])}}

    def _keeps(self, there: Mapping[str, Any]) -> bool:
        """Whether the mode keeps this document."""
        if self._has_ended(there):
            return False
        return self._mode is StoreMode.IF_ABSENT or there.get("status") in _KEPT[self._mode]

    def _has_ended(self, there: Mapping[str, Any]) -> bool:
        """One that Celery wrote has no end."""
        end = there.get("until")
        return isinstance(end, int) and end <= self._now_ms


def _waves(records: Sequence[Record]) -> Iterator[list[int]]:
    """Places in a batch, in turns of bounded length that hold every id once: the last of a batch wins."""
    wave: list[int] = []
    ids: set[str] = set()
    for place, record in enumerate(records):
        if record.id in ids or len(wave) == AT_ONCE:
            yield wave
            wave, ids = [], set()
        wave.append(place)
        ids.add(record.id)
    if wave:
        yield wave
