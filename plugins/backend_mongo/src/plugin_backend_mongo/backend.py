"""The MongoDB result backend."""

from collections.abc import Mapping, Sequence

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from kernel.contracts.backend import JoinState, Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.capabilities import BackendCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.simple import FORKS
from plugin_backend_mongo import counters, watching
from plugin_backend_mongo.address import address
from plugin_backend_mongo.errors import DUPLICATE
from plugin_backend_mongo.joins import Joins
from plugin_backend_mongo.layout import FORGOTTEN, Layout, is_text, until
from plugin_backend_mongo.names import check_text
from plugin_backend_mongo.session import Document, Session
from plugin_backend_mongo.storing import AT_ONCE, Storing

GRANULARITY_S = 0.1


class MongoBackend(ResultBackend):
    """``mongodb://host:port/database`` or ``mongodb+srv://...``, with everything else such a URL may say.

    Times are the server's. What has ended is not read any more from that moment on; the server removes it within a
    minute.
    """

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self._address = address(url, options, ctx.namespace)
        self._session = Session(self._address, ctx.namespace)
        self._layout = Layout(ctx.formats)
        self._joins = Joins(self._session)

    def __repr__(self) -> str:
        return f"<MongoBackend {self._address.name}>"

    def capabilities(self) -> BackendCaps:
        """Being told of results needs change streams, which a single server does not have."""
        return BackendCaps(
            persist=True,
            autoexpire=True,
            notify=self._address.streams,
            counter=True,
            join=self._address.joins,
            tombstone=self._address.tombstone_s is not None,
            cluster=self._address.several,
            limits=Limits(max_body=self._address.max_size, granularity_s=GRANULARITY_S),
        )

    def open(self, deadline: Deadline) -> None:
        """Connect, and make the indexes."""
        FORKS.watch(self)
        self._session.open(deadline)

    def close(self, deadline: Deadline) -> None:
        """Close every connection."""
        self._session.close()

    def ping(self, deadline: Deadline) -> None:
        """One round trip."""
        with self._session.call("ping", deadline) as database:
            database.client.admin.command("ping")

    def after_fork(self) -> None:
        """Let go of the parent's connections."""
        self._session.abandon()

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`."""
        return Storing(self._session, self._layout, mode, self._address.max_size, deadline).run(records)

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch`."""
        now_ms = self._session.now_ms(deadline)
        wanted = [one for one in dict.fromkeys(ids) if is_text(one)]
        found: dict[str, Record] = {}
        with self._session.call("reading results", deadline) as database:
            collection = database[self._session.collection("taskmeta")]
            for start in range(0, len(wanted), AT_ONCE):
                some = wanted[start : start + AT_ONCE]
                for document in collection.find({"_id": {"$in": some}}, batch_size=AT_ONCE):
                    end = document.get("until")
                    if document.get("status") != FORGOTTEN and (not isinstance(end, int) or end > now_ms):
                        found[document["_id"]] = self._layout.record(document)
        return [found.get(one) for one in ids]

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget`."""
        ours = {"_id": {"$in": [one for one in dict.fromkeys(ids) if is_text(one)]}}
        now_ms = self._session.now_ms(deadline)
        with self._session.call("forgetting results", deadline) as database:
            collection = database[self._session.collection("taskmeta")]
            collection.delete_many({**ours, "until": {"$lte": now_ms}})  # these do not count
            if self._address.tombstone_s is None:
                return collection.delete_many(ours).deleted_count
            return self._bury(collection, ours["_id"]["$in"], until(self._address.tombstone_s, now_ms))

    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        """Remove what the server has not yet removed by itself."""
        ended = {"until": {"$lte": round(now * 1000)}}
        with self._session.call("removing old results", deadline) as database:
            collection = database[self._session.collection("taskmeta")]
            ids = [one["_id"] for one in collection.find(ended, {"_id": 1}, limit=limit)]
            return collection.delete_many({**ended, "_id": {"$in": ids}}).deleted_count if ids else 0

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """See :meth:`kernel.contracts.backend.ResultBackend.wait`."""
        if self._address.streams:
            return watching.wait(self._session, self.fetch, ids, need, deadline)
        return super().wait(ids, need, deadline)

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.add`."""
        return counters.add(self._session, key, delta, ttl_s, deadline)

    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.backend.ResultBackend.join`."""
        self._check_joins()
        return self._joins.report(key, member, payload, size, ttl_s, deadline)

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        self._check_joins()
        self._joins.finish(key, ttl_s, deadline)

    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        """In Celery's collection of groups (wire.md 10.5)."""
        check_text(group_id)
        document = self._layout.group(group_id, structure, until(ttl_s, self._session.now_ms(deadline)))
        with self._session.call("saving a group", deadline) as database:
            database[self._session.collection("groupmeta")].replace_one({"_id": group_id}, document, upsert=True)

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch_group`."""
        check_text(group_id)
        now_ms = self._session.now_ms(deadline)
        with self._session.call("reading a group", deadline) as database:
            found = database[self._session.collection("groupmeta")].find_one({"_id": group_id})
        if found is None or ("until" in found and found["until"] <= now_ms):
            return None
        return self._layout.structure(found)

    def forget_group(self, group_id: str, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget_group`."""
        check_text(group_id)
        with self._session.call("forgetting a group", deadline) as database:
            database[self._session.collection("groupmeta")].delete_one({"_id": group_id})

    def _bury(self, collection: Collection[Document], ids: Sequence[str], until_ms: int) -> int:
        """Put a mark in the place of each; how many there were. A mark that is there already is a duplicate."""
        unmarked = {"status": {"$nin": [FORGOTTEN]}}
        graves = [
            ReplaceOne({"_id": one, **unmarked}, self._layout.tombstone(one, until_ms), upsert=True) for one in ids
        ]
        if not graves:
            return 0
        try:
            return collection.bulk_write(graves, ordered=False).matched_count
        except BulkWriteError as error:
            refused, unsafe = error.details["writeErrors"], error.details.get("writeConcernErrors")
            if unsafe or any(one["code"] != DUPLICATE for one in refused):
                raise
            return int(error.details["nMatched"])

    def _check_joins(self) -> None:
        if not self._address.joins:
            raise self.unsupported("join")
