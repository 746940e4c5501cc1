"""Joins: a head, and a document for each member that reported.

Members are counted after their insertion, so that of those who report last at least one sees all; who of them acts is
decided by the claim in the head, which one update takes. Members bear the head's ``nonce``: when a head has ended and
begins anew, those of the old one do not count. Decisions are made by ``until``; the TTL index removes a while later.
"""

import uuid
from typing import Any

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
            now_ms = self._session.now_ms(deadline)
            with self._session.call(WHAT, deadline) as database:
                join = Join(self._heads(database), self._members(database), key, now_ms, ttl_s)
                if join.begin(size):
                    return join.report(member, payload, size)

    def finish(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        check_text(key)
        end = until(DONE_KEPT_S if ttl_s is None else ttl_s, self._session.now_ms(deadline))
        done = {"_id": key, "nonce": "", "size": 0, "claimed": 0, "full": True, "done": True, **lifetime(end)}
        with self._session.call(WHAT, deadline) as database:
            old = self._heads(database).find_one({"_id": key})
            try:
                self._heads(database).replace_one({"_id": key}, done, upsert=True)
            except DuplicateKeyError:  # somebody inserted it meanwhile
                self._heads(database).replace_one({"_id": key}, done, upsert=True)
            if old is not None and old["nonce"]:
                self._members(database).delete_many({"join": old["nonce"]})

    def _heads(self, database: Database[Document]) -> Collection[Document]:
        return database[self._session.collection("join")]

    def _members(self, database: Database[Document]) -> Collection[Document]:
        return database[self._session.collection("joinmember")]


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
        """Find the living head; an absent or ended one begins now. False when somebody else was faster with that."""
        found = self._heads.find_one({"_id": self._key})
        if found is not None and found["until"] > self._now_ms:
            self._head = found
            return True
        fresh = {"_id": self._key, "nonce": uuid.uuid4().hex, "size": size, "claimed": 0, "full": False, "done": False}
        self._head = {**fresh, "renewed": self._now_ms, **self._lifetime()}
        if found is not None:
            ended = {"_id": self._key, "nonce": found["nonce"], "until": found["until"]}
            return self._heads.replace_one(ended, self._head).matched_count == 1
        try:
            self._heads.insert_one(self._head)
        except DuplicateKeyError:
            return False
        return True

    def report(self, member: str, payload: bytes, size: int) -> JoinState:
        """Count a member, renew the join, and take the claim if it is there to be taken."""
        if self._head["done"]:
            return JoinState(size, size, won=False, done=True)
        if not self._head["full"]:
            self._insert(member, payload)
        self._renew()
        wanted: int = self._head["size"]
        count = wanted if self._head["full"] else self._members.count_documents(self._ours())
        if not 0 < wanted <= count or not self._claim():  # of 0 nobody knows how many there will be
            return JoinState(min(count, wanted) if wanted else count, wanted, won=False)
        found = sorted((one["member"], one["payload"]) for one in self._members.find(self._ours()))
        return JoinState(wanted, wanted, won=True, payloads=tuple(payload for _, payload in found))

    def _ours(self) -> dict[str, Any]:
        return {"join": self._head["nonce"]}

    def _insert(self, member: str, payload: bytes) -> None:
        nonce = self._head["nonce"]
        document = {"_id": f"{nonce}:{member}", "join": nonce, "member": member, "payload": payload}
        try:
            self._members.insert_one({**document, **self._lifetime()})
        except DuplicateKeyError:
            return  # it has reported before, and its first payload counts

    def _claim(self) -> bool:
        free = {"_id": self._key, "nonce": self._head["nonce"], "claimed": {"$lte": self._now_ms}}
        taken = {"claimed": self._now_ms + round(CLAIM_S * 1000), "full": True}
        return self._heads.update_one(free, {"$set": taken}).matched_count == 1

    def _renew(self) -> None:
        """The head ends a time to live from now; the dates of removal follow when they come near."""
        mine = {"_id": self._key, "nonce": self._head["nonce"]}
        later: dict[str, Any] = {"$max": {"until": until(self._ttl_s, self._now_ms)}}
        if self._ttl_s is not None and self._now_ms - self._head["renewed"] > self._ttl_s * 1000:
            self._members.update_many(self._ours(), {"$set": self._lifetime()})
            later["$set"] = {"renewed": self._now_ms, "expires": self._lifetime()["expires"]}
        self._heads.update_one(mine, later)

    def _lifetime(self) -> dict[str, Any]:
        """``until`` after one time to live, removal after several."""
        if self._ttl_s is None:
            return lifetime(until(None, self._now_ms))
        return {**lifetime(until(self._ttl_s * KEPT, self._now_ms)), "until": until(self._ttl_s, self._now_ms)}
