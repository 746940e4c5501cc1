"""Joins: a head, and beside it a number of reports, a list of the members that reported, and the payload of each.

A report costs the same however many members there are and report at once (docs/adr/0014): it stores its payload, and
then, in one message to the server, adds one to the number, appends the digest of its member to the list, and asks for
the number. So the number is never less than the list has members, and who lists the last one is told at least ``size``.
It may be more, as a connection can break in between: so whoever is told ``size`` reads the list, and nobody else does
but members that report again.

The head is a JSON text, ``[nonce, size]``; everything else has the nonce in its name. A payload is stored before its
digest is listed, so that every digest of the list has one. The claim of a winner is an item that nobody can add twice
and that ends by itself. After ``joined`` the head has an empty nonce, and the rest goes.
"""

import contextlib
import hashlib
import json
import uuid
from dataclasses import dataclass

from kernel.contracts.backend import CLAIM_S, JoinState
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_backend_memcached.connection import STORED, Connection
from plugin_backend_memcached.expiry import expiry
from plugin_backend_memcached.shelf import Shelf

WHAT = "a join"
DONE_KEPT_S = 2 * 86_400.0
"""How long the mark of a join without a time to live stays."""
PAYLOADS_KEPT = 4
"""A payload lives so many times as long as the rest, which every report renews: members may be that far apart."""
_DIGEST = 10


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a join."""

    nonce: str
    size: int

    @property
    def done(self) -> bool:
        """Whether somebody said joined."""
        return not self.nonce

    def item(self) -> bytes:
        """As stored."""
        return json.dumps([self.nonce, self.size]).encode()


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
        while True:
            deadline.check("a join in memcached")
            head = self._head(key, deadline) or self._begin(key, size, ttl_s, deadline)
            if head is None:
                continue  # somebody else began it meanwhile
            if head.done:
                return JoinState(size, size, won=False, done=True)
            state = Join(self._shelf, key, head, ttl_s, deadline).report(member, payload)
            if state is not None:
                return state
            if self._head(key, deadline) == head:
                raise _dropped("the list of members")

    def finish(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        head = self._head(key, deadline)
        expire = expiry(DONE_KEPT_S if ttl_s is None else ttl_s, self._shelf.clock())
        name = self._shelf.keys.join(key)
        with self._shelf.fleet.at(self._shelf.fleet.home(name), WHAT, deadline) as connection:
            connection.send([connection.write("set", name, Head("", 0).item(), expire)])
        if head is None or head.done:
            return
        # What is left ends by itself: that the join is done is stored.
        with contextlib.suppress(DriverError):
            Join(self._shelf, key, head, ttl_s, deadline).remove()

    def _head(self, key: str, deadline: Deadline) -> Head | None:
        name = self._shelf.keys.join(key)
        item = self._shelf.fleet.values([name], WHAT, deadline).get(name)
        if item is None:
            return None
        try:
            nonce, size = json.loads(item)
        except (ValueError, TypeError) as error:
            raise DriverError(
                Code.CORRUPT, f"What is stored for join {key!r:.200} is none: {item[:40]!r}", cure="Delete it."
            ) from error
        return Head(nonce, size)

    def _begin(self, key: str, size: int, ttl_s: float | None, deadline: Deadline) -> Head | None:
        """Store the head last, so that all is there when it is; None when somebody was faster."""
        head = Head(uuid.uuid4().hex, size)
        keys, expire = self._shelf.keys, expiry(ttl_s, self._shelf.clock())
        number, members = keys.reports(head.nonce), keys.members(head.nonce)
        with self._shelf.fleet.at(self._shelf.fleet.home(keys.join(key)), WHAT, deadline) as connection:
            items = ((number, b"0"), (members, b""), (keys.join(key), head.item()))
            *_, begun = connection.send([connection.write("add", name, item, expire) for name, item in items])
            if begun != STORED:
                connection.send([connection.remove(number), connection.remove(members)])
        return head if begun == STORED else None


class Join:
    """One join that has begun.

    Args:
        shelf: where it is.
        key: its name.
        head: what is known of it.
        ttl_s: its time to live.
        deadline: of the call.
    """

    def __init__(self, shelf: Shelf, key: str, head: Head, ttl_s: float | None, deadline: Deadline) -> None:
        self._shelf = shelf
        self._head = head
        self._ttl_s = ttl_s
        self._deadline = deadline
        self._key = shelf.keys.join(key)
        self._home = shelf.fleet.home(self._key)
        self._number = shelf.keys.reports(head.nonce)
        self._list = shelf.keys.members(head.nonce)

    def report(self, member: str, payload: bytes) -> JoinState | None:
        """Count a member, and take the claim if all are there and it is to be taken; None when there is no list."""
        size = self._head.size
        digest = hashlib.blake2b(member.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        fresh = self._put(digest, member, payload)
        count = self._append(digest) if fresh else self._repeat(digest)
        if count is None or not 0 < size <= count:
            return None if count is None else JoinState(count, size, won=False)
        members = self._members()
        if members is None:
            return None
        if len(members) < size or not self._claim():
            return JoinState(min(len(members), size), size, won=False)
        return JoinState(size, size, won=True, payloads=self._payloads(members[:size]))

    def remove(self) -> None:
        """Delete everything but the head."""
        members = self._members() or []
        places = [self._place(digest) for digest in members]
        self._shelf.fleet.remove(places, WHAT, self._deadline)
        with self._shelf.fleet.at(self._home, WHAT, self._deadline) as connection:
            connection.send([connection.remove(self._number), connection.remove(self._list)])

    def _put(self, digest: bytes, member: str, payload: bytes) -> bool:
        """Store a payload; False when the member has one already: the first one counts."""
        place = self._place(digest)
        kept = None if self._ttl_s is None else self._ttl_s * PAYLOADS_KEPT
        expire = expiry(kept, self._shelf.clock())
        value = json.dumps(member).encode() + b"\n" + payload
        item = self._shelf.values.cut(value, "", expire, self._deadline)
        with self._shelf.fleet.at(self._shelf.fleet.home(place), WHAT, self._deadline) as connection:
            stored = connection.send([connection.write("add", place, item, expire)]) == [STORED]
        if not stored:
            self._shelf.values.drop(item, self._deadline)
        return stored

    def _append(self, digest: bytes) -> int | None:
        """List a member; the number of reports when it is listed. None when there is no list."""
        with self._shelf.fleet.at(self._home, WHAT, self._deadline) as connection:
            listed = connection.write("append", self._list, digest, 0)
            renewals = self._renewals(connection)
            commands = [connection.add(self._number, 1), listed, *renewals, connection.add(self._number, 0)]
            answers = connection.send(commands)
        return int(answers[-1]) if answers[1] == STORED and answers[-1].isdigit() else None

    def _repeat(self, digest: bytes) -> int | None:
        """The number of members when one has stored its payload before; it may have died before it was listed."""
        members = self._members()
        if members is None or digest not in members:
            return None if members is None else self._append(digest)
        with self._shelf.fleet.at(self._home, WHAT, self._deadline) as connection:
            connection.send(self._renewals(connection))
        return len(members)

    def _renewals(self, connection: Connection) -> list[bytes]:
        """The commands that let it live on."""
        if self._ttl_s is None:
            return []
        expire = expiry(self._ttl_s, self._shelf.clock())
        return [connection.renew(key, expire) for key in (self._key, self._number, self._list)]

    def _members(self) -> list[bytes] | None:
        """The digests of all members, each once, in the order in which they were listed; None without a list."""
        with self._shelf.fleet.at(self._home, WHAT, self._deadline) as connection:
            listed = connection.values([self._list]).get(self._list)
        if listed is None:
            return None
        return list(dict.fromkeys(listed[at : at + _DIGEST] for at in range(0, len(listed), _DIGEST)))

    def _payloads(self, members: list[bytes]) -> tuple[bytes, ...]:
        items = self._shelf.fleet.values([self._place(digest) for digest in members], WHAT, self._deadline)
        found = self._shelf.values.whole(items, self._deadline)
        if len(found) < len(members):
            raise _dropped(f"{len(members) - len(found)} of {len(members)} payloads")
        named = sorted((json.loads(head), payload) for head, _, payload in (v.partition(b"\n") for v in found.values()))
        return tuple(payload for _, payload in named)

    def _claim(self) -> bool:
        name = self._shelf.keys.claim(self._head.nonce)
        with self._shelf.fleet.at(self._shelf.fleet.home(name), WHAT, self._deadline) as connection:
            command = connection.write("add", name, b"", expiry(CLAIM_S, self._shelf.clock()))
            return connection.send([command]) == [STORED]

    def _place(self, digest: bytes) -> str:
        return self._shelf.keys.member(self._head.nonce, digest.hex())


def _dropped(what: str) -> DriverError:
    return DriverError(
        Code.EXHAUSTED,
        f"memcached has dropped {what} of a join: it has too little memory",
        retryable=False,
        cure="Give it more memory (-m), or use a result backend that is not volatile.",
    )
