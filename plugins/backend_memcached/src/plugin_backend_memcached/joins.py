"""Joins: an index of the members that reported, changed by cas only, and the payload of each beside it.

The index begins with a line of JSON, ``[nonce, size]``, and goes on with the digests of the members, ten bytes each. A
payload is written before its digest, so that every digest in the index has one. The claim of a winner is an item that
nobody can add twice and that ends by itself. After ``joined`` the index is the line alone, with an empty nonce.
"""

import contextlib
import hashlib
import json
import uuid
from dataclasses import dataclass

from kernel.contracts.backend import CLAIM_S, JoinState
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_backend_memcached.connection import STORED
from plugin_backend_memcached.expiry import expiry
from plugin_backend_memcached.shelf import Shelf

WHAT = "a join"
DONE_KEPT_S = 2 * 86_400.0
"""How long the mark of a join without a time to live stays."""
PAYLOADS_KEPT = 4
"""A payload lives so many times as long as the index, which every report renews: members may be that far apart."""
_DIGEST = 10


@dataclass(frozen=True, slots=True)
class Index:
    """What is known of a join. ``token`` is for cas; without one it is not stored yet."""

    nonce: str
    size: int
    members: bytes
    token: bytes | None

    @property
    def done(self) -> bool:
        """Whether somebody said joined."""
        return not self.nonce

    @property
    def count(self) -> int:
        """Members that reported."""
        return len(self.members) // _DIGEST

    def has(self, digest: bytes) -> bool:
        """Whether a member has reported."""
        return digest in {self.members[at : at + _DIGEST] for at in range(0, len(self.members), _DIGEST)}

    def item(self) -> bytes:
        """As stored."""
        return json.dumps([self.nonce, self.size]).encode() + b"\n" + self.members


class Joins:
    """The joins of one namespace.

    Args:
        shelf: where they are.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def report(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.backend.ResultBackend.join`."""
        digest = hashlib.blake2b(member.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        while True:
            deadline.check("a join in memcached")
            index = self._read(key, size, deadline)
            if index.done:
                return JoinState(size, size, won=False, done=True)
            fresh = index.count < index.size and not index.has(digest)
            if fresh:
                self._put(index, digest, member, payload, ttl_s, deadline)
                index = Index(index.nonce, index.size, index.members + digest, index.token)
            if self._write(key, index, ttl_s, deadline):
                return self._state(index, deadline)

    def finish(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        index = self._read(key, 0, deadline)
        name = self._shelf.keys.join(key)
        expire = expiry(DONE_KEPT_S if ttl_s is None else ttl_s, self._shelf.clock())
        with self._shelf.fleet.at(self._shelf.fleet.home(name), WHAT, deadline) as connection:
            connection.send([connection.write("set", name, Index("", index.size, b"", None).item(), expire)])
        # What is left ends by itself: that the join is done is stored.
        with contextlib.suppress(DriverError):
            for place in self._places(index):
                self._shelf.fleet.remove([place], WHAT, deadline)

    def _read(self, key: str, size: int, deadline: Deadline) -> Index:
        """The index as stored; one that begins now has no token."""
        name = self._shelf.keys.join(key)
        with self._shelf.fleet.at(self._shelf.fleet.home(name), WHAT, deadline) as connection:
            found = connection.tokens([name]).get(name)
        if found is None:
            return Index(uuid.uuid4().hex, size, b"", None)
        head, _, members = found[0].partition(b"\n")
        try:
            nonce, wanted = json.loads(head)
        except (ValueError, TypeError) as error:
            raise DriverError(
                Code.CORRUPT, f"What is stored for join {key!r:.200} is none: {head[:40]!r}", cure="Delete it."
            ) from error
        return Index(nonce, wanted, members, found[1])

    def _write(self, key: str, index: Index, ttl_s: float | None, deadline: Deadline) -> bool:
        """Store the index, which renews its time; False when somebody was faster."""
        name = self._shelf.keys.join(key)
        expire = expiry(ttl_s, self._shelf.clock())
        with self._shelf.fleet.at(self._shelf.fleet.home(name), WHAT, deadline) as connection:
            verb = "add" if index.token is None else "cas"
            return connection.send([connection.write(verb, name, index.item(), expire, index.token)]) == [STORED]

    def _put(
        self, index: Index, digest: bytes, member: str, payload: bytes, ttl_s: float | None, deadline: Deadline
    ) -> None:
        """Store a payload, unless the member has one already: the first one counts."""
        place = self._place(index, digest)
        kept = None if ttl_s is None else ttl_s * PAYLOADS_KEPT
        expire = expiry(kept, self._shelf.clock())
        value = json.dumps(member).encode() + b"\n" + payload
        item = self._shelf.values.cut(value, "", expire, deadline)
        with self._shelf.fleet.at(self._shelf.fleet.home(place), WHAT, deadline) as connection:
            stored = connection.send([connection.write("add", place, item, expire)]) == [STORED]
        if not stored:
            self._shelf.values.drop(item, deadline)

    def _state(self, index: Index, deadline: Deadline) -> JoinState:
        if not 0 < index.size <= index.count or not self._claim(index, deadline):
            return JoinState(index.count, index.size, won=False)
        items = self._shelf.fleet.values(self._places(index), WHAT, deadline)
        found = self._shelf.values.whole(items, deadline)
        if len(found) < index.count:
            raise DriverError(
                Code.EXHAUSTED,
                f"memcached has dropped {index.count - len(found)} of {index.count} payloads of a join: it has too "
                "little memory",
                retryable=False,
                cure="Give it more memory (-m), or use a result backend that is not volatile.",
            )
        named = sorted((json.loads(head), payload) for head, _, payload in (v.partition(b"\n") for v in found.values()))
        return JoinState(index.count, index.size, won=True, payloads=tuple(payload for _, payload in named))

    def _claim(self, index: Index, deadline: Deadline) -> bool:
        name = self._shelf.keys.claim(index.nonce)
        with self._shelf.fleet.at(self._shelf.fleet.home(name), WHAT, deadline) as connection:
            command = connection.write("add", name, b"", expiry(CLAIM_S, self._shelf.clock()))
            return connection.send([command]) == [STORED]

    def _place(self, index: Index, digest: bytes) -> str:
        return self._shelf.keys.member(index.nonce, digest.hex())

    def _places(self, index: Index) -> list[str]:
        members = index.members
        return [self._place(index, members[at : at + _DIGEST]) for at in range(0, len(members), _DIGEST)]
