"""Joins in Celery's own keys, so that its workers and ours can finish the same chord (wire.md 11.2).

A member named ``000003:task-id`` with a payload as Celery writes it is stored as Celery stores it: the payload in
``.j`` with score 3, ``task-id:3`` in ``.d``. Any other member stands there with its name, which Celery does not read.
"""

import re
import uuid
from typing import Final, NamedTuple

from kernel.contracts import Deadline
from kernel.contracts.backend import CLAIM_S, JoinState
from plugin_backend_redis.layout import Layout
from plugin_backend_redis.scripts import EXPECT, JOIN, JOINED
from plugin_common_redis import Wire, Word

_MEMBER: Final = re.compile(r"(\d{6,}):(.+)", re.DOTALL)
_NOWHERE: Final = 999_999
"""Stands in the names of members without a place in the header, which Celery puts behind all others."""
_OURS: Final = b"\x00kernel\x00"
_DONE_S: Final = 86_400.0
"""How long the mark of a join without a time to live stays."""


class Report(NamedTuple):
    """What one member says; see :meth:`kernel.contracts.ResultBackend.join`."""

    member: str
    payload: bytes
    size: int
    ttl_s: float | None


def expect(wire: Wire, layout: Layout, key: str, size: int, ttl_s: float | None, deadline: Deadline) -> None:
    """See :meth:`kernel.contracts.ResultBackend.expect`."""
    EXPECT.run(wire, [layout.group(key, ".s"), layout.group(key, ".c")], [size, milliseconds(ttl_s)], deadline)


def join(wire: Wire, keys: list[Word], report: Report, deadline: Deadline) -> JoinState:
    """See :meth:`kernel.contracts.ResultBackend.join`."""
    who, entry, score = _entry(report.member, report.payload)
    life = milliseconds(report.ttl_s)
    args: list[Word] = [report.size, life, who, entry, score, uuid.uuid4().hex, int(CLAIM_S * 1000)]
    count, stored, won, done, *payloads = JOIN.run(wire, keys, args, deadline)
    if done:
        return JoinState(report.size, report.size, won=False, done=True)
    found = tuple(_payload(one) for one in payloads[0]) if won else ()
    return JoinState(min(count, stored) if stored else count, stored, won=bool(won), payloads=found)


def joined(wire: Wire, keys: list[Word], ttl_s: float | None, deadline: Deadline) -> None:
    """See :meth:`kernel.contracts.ResultBackend.joined`."""
    JOINED.run(wire, keys, [milliseconds(_DONE_S if ttl_s is None else ttl_s)], deadline)


def keys_of(layout: Layout, key: str) -> list[Word]:
    """The keys of a join, as its scripts take them."""
    return [layout.group(key, suffix) for suffix in (".j", ".d", ".s", ".t", ".c")]


def milliseconds(seconds: float | None) -> Word:
    """A time to live as the server takes it; "" for ever."""
    return "" if seconds is None else max(1, round(seconds * 1000))


def _entry(member: str, payload: bytes) -> tuple[str, bytes, Word]:
    """What stands in ``.d``, in ``.j``, and the score."""
    found = _MEMBER.fullmatch(member)
    if found is not None and payload.startswith(b"[1,"):
        index = int(found[1])
        score = "+inf" if index == _NOWHERE else str(index)
        return f"{found[2]}:{score}", payload, score
    return f"\x00{member}", _OURS + member.encode() + b"\x00" + payload, 0


def _payload(entry: bytes) -> bytes:
    return entry[len(_OURS) :].partition(b"\x00")[2] if entry.startswith(_OURS) else entry
