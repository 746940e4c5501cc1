"""The Redis result backend: Celery's keys and documents (wire.md 10.2, 11), told of by pub/sub."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kernel.contracts import (
    BackendCaps,
    Deadline,
    JoinState,
    Limits,
    PluginContext,
    Record,
    ResultBackend,
    StoreMode,
    StoreResult,
)
from kernel.contracts.document import Documents
from kernel.contracts.manifest import Option
from kernel.contracts.simple import FORKS, Natives, ThreadLocalHandles
from kernel.contracts.simple.line import Line
from kernel.errors import Code, DriverError
from plugin_backend_redis import joins
from plugin_backend_redis.following import Following
from plugin_backend_redis.joins import milliseconds
from plugin_backend_redis.layout import Layout, joined_prefix
from plugin_backend_redis.records import Records
from plugin_backend_redis.scripts import ADD
from plugin_backend_redis.waiting import Waiting
from plugin_common_redis import CODES, Connector, Phone, ReplyError, Wire, key_prefix, parse

OPTIONS: Final[dict[str, Option]] = {
    "global_keyprefix": Option(str, "", "text before every key; an underscore follows unless it ends in one of :_-."),
    "master_name": Option(str, "", "the master's name at the sentinels, when the URL does not say"),
}
CAPS: Final = BackendCaps(
    persist=True,
    autoexpire=True,
    notify=True,
    counter=True,
    join=True,
    auth=True,
    limits=Limits(max_body=32 * 1024 * 1024, granularity_s=0.02),
)


class RedisBackend(ResultBackend):
    """``redis://``, ``rediss://``, ``redis+socket://``, ``sentinel://``, ``redis+cluster://`` and their TLS forms."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        given: dict[str, Any] = {name: option.default for name, option in OPTIONS.items()} | dict(options)
        address = parse(url, given["master_name"])
        prefix, tag = key_prefix(address, ctx.namespace, joined_prefix(given["global_keyprefix"]))
        self._name = address.name
        self._natives = Natives(address.name, CODES, address.secrets)
        connector = Connector(address, tag)
        handles = ThreadLocalHandles(
            lambda deadline: Phone(connector, deadline), Phone.close, itertools.count(1).__next__
        )
        self._line = Line(handles, self._natives, self._name)
        self._layout = Layout(prefix, ctx.namespace)
        self._documents = Documents(ctx.formats)
        self._records = Records(self._layout, self._documents, CAPS.limits.max_body or 0)
        self._waiting = Waiting(connector.connect, self._layout, self._records)
        self._following = Following(self._waiting, self._layout, self._records)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def capabilities(self) -> BackendCaps:
        """Everything but tombstones and several nodes; ``persist`` is as good as the server's configuration."""
        return CAPS

    def open(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.open`."""
        FORKS.watch(self)
        self._line.handles.give_back(self._line.connected(deadline))
        self._line.opened = True

    def close(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.close`. A blocked ``wait`` ends."""
        self._line.close()
        self._waiting.close()

    def ping(self, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Driver.ping`."""
        with self._lend("ping", deadline) as wire:
            wire.ask(["PING"], deadline)

    def after_fork(self) -> None:
        """See :meth:`kernel.contracts.Driver.after_fork`."""
        for phone in self._line.handles.abandon():
            phone.abandon()
        self._waiting.abandon()

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.ResultBackend.store`."""
        with self._lend("storing results", deadline) as wire:
            return self._records.store(wire, records, mode, deadline)

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.ResultBackend.fetch`."""
        with self._lend("reading results", deadline) as wire:
            return self._records.fetch(wire, ids, deadline)

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.ResultBackend.forget`."""
        with self._lend("forgetting results", deadline) as wire:
            return self._records.forget(wire, ids, deadline)

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """See :meth:`kernel.contracts.ResultBackend.wait`. Woken by what is stored; nothing is polled."""
        self._line.check_open()
        if not ids or deadline.passed:
            return []
        found = {one.id: one for one in self.fetch(ids, deadline) if one is not None and one.ready}
        if sum(one in found for one in ids) < need:
            try:
                self._waiting.wait(found, ids, need, deadline)
            except Exception as error:
                self._line.check_open()  # it was closed: that is why
                if deadline.passed:
                    return [found[one] for one in ids if one in found]
                known = self._natives.translate(error, "waiting for results")
                if known is error:
                    raise
                raise known from error
        return [found[one] for one in ids if one in found]

    def follow(self, task_id: str, seen: Sequence[Record], deadline: Deadline) -> list[Record]:
        """See :meth:`kernel.contracts.ResultBackend.follow`. Every state is told while somebody follows."""
        self._line.check_open()
        try:
            return self._following.follow(task_id, seen, deadline)
        except Exception as error:
            self._line.check_open()  # it was closed: that is why
            if deadline.passed:
                return []
            known = self._natives.translate(error, "following a task")
            if known is error:
                raise
            raise known from error

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.ResultBackend.add`. Counters are signed 64-bit numbers."""
        with self._lend(f"counting {key!r}", deadline) as wire:
            try:
                return int(ADD.run(wire, [self._layout.counter(key)], [delta, milliseconds(ttl_s)], deadline))
            except ReplyError as error:
                if "overflow" not in str(error) and "out of range" not in str(error):
                    raise
                raise DriverError(
                    Code.INVALID, f"Counter {key!r} would leave the 64-bit range", cure="Reset it."
                ) from error

    def expect(self, key: str, size: int, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.ResultBackend.expect`. A Celery worker finds the size there."""
        with self._lend(f"announcing join {key!r}", deadline) as wire:
            joins.expect(wire, self._layout, key, size, ttl_s, deadline)

    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.ResultBackend.join`."""
        with self._lend(f"reporting to join {key!r}", deadline) as wire:
            report = joins.Report(member, payload, size, ttl_s)
            return joins.join(wire, joins.keys_of(self._layout, key), report, deadline)

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.ResultBackend.joined`."""
        with self._lend(f"ending join {key!r}", deadline) as wire:
            joins.joined(wire, joins.keys_of(self._layout, key), ttl_s, deadline)

    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.ResultBackend.save_group`; written as Celery writes it (wire.md 11.1)."""
        life = [] if ttl_s is None else ["PX", milliseconds(ttl_s)]
        text = self._documents.write_group(structure)
        with self._lend(f"saving group {group_id!r}", deadline) as wire:
            wire.ask(["SET", self._layout.group(group_id), text, *life], deadline)

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        """See :meth:`kernel.contracts.ResultBackend.fetch_group`."""
        with self._lend(f"reading group {group_id!r}", deadline) as wire:
            text = wire.ask(["GET", self._layout.group(group_id)], deadline)
        return None if text is None else self._documents.read_group(group_id, text)

    def forget_group(self, group_id: str, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.ResultBackend.forget_group`."""
        with self._lend(f"forgetting group {group_id!r}", deadline) as wire:
            wire.ask(["UNLINK", self._layout.group(group_id)], deadline)

    @contextmanager
    def _lend(self, what: str, deadline: Deadline) -> Iterator[Wire]:
        with self._line.call(what, deadline) as handle:
            yield handle.conn.wire(deadline)
