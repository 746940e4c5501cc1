"""Joins: a head with a number of reports, and a document for each member that reported (docs/adr/0014).

A report costs the same however many members there are: it adds one to the head's number, inserts its member, and looks
at the number again. So the number is never less than there are members, and whoever inserts the last one sees at least
``size``. It may be more, as a report that dies in between has added and inserted nothing: so whoever sees ``size``
counts the members themselves, and nobody else does. A member that has reported before takes its one off again.

Who of those that count all members acts is decided by the claim in the head, which one update takes. Members bear the
head's ``nonce``: when a head has ended and begins anew, those of the old one do not count. Decisions are made by
``until``; the TTL index removes a while later.
"""

import uuid
from typing import Any

from pymongo import ReadPreference, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from kernel.contracts.backend import CLAIM_S, JoinState
from kernel.contracts.deadline import Deadline
from plugin_backend_mongo.layout import lifetime, until
from plugin_backend_mongo.names import check_text
from plugin_backend_mongo.session import Document, Session

WHAT = "a join"
DONE_KEPT_S = 2 * 86_400.0
"""How long the mark of a join without a time to live stays."""
KEPT = 4
"""What is removed is removed when so many times to live have passed; all of a join is renewed after each of them."""


class Joins:
    """The joins of one namespace.

    Args:
        session: the deployment.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def report(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.backend.ResultBackend.join`."""
        check_text(key, member)
        while True:
            deadline.check(WHAT)
            now_ms = self._session.now_ms(deadline)
            with self._session.call(WHAT, deadline) as database:
                join = Join(self._heads(database), self._members(database), key, now_ms, ttl_s)
                if join.begin(size):
                    return join.report(member, payload, size)

    def finish(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        check_text(key)
        end = until(DONE_KEPT_S if ttl_s is None else ttl_s, self._session.now_ms(deadline))
        done = {"_id": key, "nonce": "", "size": 0, "reports": 0, "claimed": 0, "full": True, "done": True}
        done |= lifetime(end)
        with self._session.call(WHAT, deadline) as database:
            old = self._heads(database).find_one({"_id": key})
            try:
                self._heads(database).replace_one({"_id": key}, done, upsert=True)
            except DuplicateKeyError:  # somebody inserted it meanwhile
                self._heads(database).replace_one({"_id": key}, done, upsert=True)
            if old is not None and old["nonce"]:
                self._members(database).delete_many({"join": old["nonce"]})

    def _heads(self, database: Database[Document]) -> Collection[Document]:
        return self._current(database, "join")

    def _members(self, database: Database[Document]) -> Collection[Document]:
        return self._current(database, "joinmember")

    def _current(self, database: Database[Document], kind: str) -> Collection[Document]:
        """A collection as its writers see it: a secondary that lags behind would hide the last member."""
        return database.get_collection(self._session.collection(kind), read_preference=ReadPreference.PRIMARY)


class Join:
    """One report of one join.

    Args:
        heads: of all joins.
        members: of all joins.
        key: its name.
        now_ms: the server's time.
        ttl_s: its time to live.
    """

    def __init__(
        self, heads: Collection[Document], members: Collection[Document], key: str, now_ms: int, ttl_s: float | None
    ) -> None:
        self._heads = heads
        self._members = members
        self._key = key
        self._now_ms = now_ms
        self._ttl_s = ttl_s
        self._head: Document = {}

    def begin(self, size: int) -> bool:
        """Add this report to the living head, which renews it; an absent or ended one begins now.

        Returns:
            False when somebody else was faster with that.
        """
        living = {"_id": self._key, "until": {"$gt": self._now_ms}}
        found = self._changed({**living, "full": False}, {"$inc": {"reports": 1}, **self._later()})
        if found is not None:
            self._head = found
            return True
        found = self._heads.find_one({"_id": self._key})
        if found is None or found["until"] <= self._now_ms:
            return self._begin_anew(found, size)
        self._head = found
        return bool(found["full"])

    def report(self, member: str, payload: bytes, size: int) -> JoinState:
        """Insert a member, and take the claim if all are there and it is to be taken."""
        if self._head["done"]:
            return JoinState(size, size, won=False, done=True)
        wanted: int = self._head["size"]
        if self._head["full"]:
            count = wanted
            self._heads.update_one(self._mine(), self._later())
        else:
            count = self._count(member, payload, wanted)
        if not 0 < wanted <= count or not self._claim():  # of 0 nobody knows how many there will be
            return JoinState(min(count, wanted) if wanted else count, wanted, won=False)
        found = sorted((one["member"], one["payload"]) for one in self._members.find(self._ours()))
        return JoinState(wanted, wanted, won=True, payloads=tuple(payload for _, payload in found))

    def _begin_anew(self, ended: Document | None, size: int) -> bool:
        fresh = {"_id": self._key, "nonce": uuid.uuid4().hex, "size": size, "reports": 1, "claimed": 0, "full": False}
        self._head = {**fresh, "done": False, "renewed": self._now_ms, **self._lifetime()}
        if ended is not None:
            same = {"_id": self._key, "nonce": ended["nonce"], "until": ended["until"]}
            return self._heads.replace_one(same, self._head).matched_count == 1
        try:
            self._heads.insert_one(self._head)
        except DuplicateKeyError:
            return False
        return True

    def _count(self, member: str, payload: bytes, wanted: int) -> int:
        """Insert a member; how many there are, exactly if it may be all of them."""
        fresh = self._insert(member, payload)
        self._renew()
        if not fresh:
            self._head = self._changed(self._mine(), {"$inc": {"reports": -1}}) or self._head
        elif self._head["reports"] < wanted:  # others may have come, and looked, before this member was there
            self._head = self._heads.find_one(self._mine()) or self._head
        reports: int = self._head["reports"]
        return reports if reports < wanted or not wanted else self._members.count_documents(self._ours())

    def _insert(self, member: str, payload: bytes) -> bool:
        """False when it has reported before: its first payload counts."""
        nonce = self._head["nonce"]
        document = {"_id": f"{nonce}:{member}", "join": nonce, "member": member, "payload": payload}
        try:
            self._members.insert_one({**document, **self._lifetime()})
        except DuplicateKeyError:
            return False
        return True

    def _claim(self) -> bool:
        free = {**self._mine(), "claimed": {"$lte": self._now_ms}}
        taken = {"claimed": self._now_ms + round(CLAIM_S * 1000), "full": True}
        return self._heads.update_one(free, {"$set": taken}).matched_count == 1

    def _renew(self) -> None:
        """The head ends a time to live from its last report; the dates of removal follow when they come near."""
        if self._ttl_s is None or self._now_ms - self._head["renewed"] <= self._ttl_s * 1000:
            return
        self._members.update_many(self._ours(), {"$set": self._lifetime()})
        renewed = {"renewed": self._now_ms, "expires": self._lifetime()["expires"]}
        self._heads.update_one(self._mine(), {"$set": renewed})

    def _changed(self, which: dict[str, Any], change: dict[str, Any]) -> Document | None:
        """The head after a change; None when it is not such a one."""
        return self._heads.find_one_and_update(which, change, return_document=ReturnDocument.AFTER)

    def _mine(self) -> dict[str, Any]:
        return {"_id": self._key, "nonce": self._head["nonce"]}

    def _ours(self) -> dict[str, Any]:
        return {"join": self._head["nonce"]}

    def _later(self) -> dict[str, Any]:
        """The change that makes the head live on."""
        return {"$max": {"until": until(self._ttl_s, self._now_ms)}}

    def _lifetime(self) -> dict[str, Any]:
        """``until`` after one time to live, removal after several."""
        if self._ttl_s is None:
            return lifetime(until(None, self._now_ms))
        return {**lifetime(until(self._ttl_s * KEPT, self._now_ms)), "until": until(self._ttl_s, self._now_ms)}
