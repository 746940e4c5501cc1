"""Brokers that are wrong when they are made, opened, declared, or published to."""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from kernel.contracts import BrokerCaps, Deadline, Depth, Outgoing, PluginContext, PublishResult
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel_conformance.saboteurs.wrapped import WrappedBroker, saboteur


class _Rewriter(WrappedBroker):
    """Publishes something else than it was given."""

    def rewrite(self, item: Outgoing) -> Outgoing:
        raise NotImplementedError

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        return super().publish([self.rewrite(item) for item in items], deadline)


class Truncates(_Rewriter):
    """Bodies end at 64 KiB."""

    def rewrite(self, item: Outgoing) -> Outgoing:
        return replace(item, body=item.body[: 64 * 1024])


class TextHeaders(_Rewriter):
    """Header values arrive as text."""

    def rewrite(self, item: Outgoing) -> Outgoing:
        return replace(item, headers={key: str(value) for key, value in item.headers.items()})


class DeliversEarly(_Rewriter):
    """Delays are cut to half."""

    def rewrite(self, item: Outgoing) -> Outgoing:
        return replace(item, delay_s=None if item.delay_s is None else item.delay_s / 2)


class Ignores(_Rewriter):
    """A field is accepted and ignored."""

    field: ClassVar[str]

    def rewrite(self, item: Outgoing) -> Outgoing:
        changed: dict[str, Any] = {self.field: None}
        return replace(item, **changed)


class IgnoresTtl(Ignores):
    """A time to live is accepted and ignored."""

    field = "ttl_s"


class IgnoresPriority(Ignores):
    """A priority is accepted and ignored."""

    field = "priority"


class IgnoresGroup(Ignores):
    """An ordering group is accepted and ignored."""

    field = "group"


class IgnoresDedup(Ignores):
    """A deduplication id is accepted and ignored."""

    field = "dedup_id"


class SilentField(IgnoresPriority):
    """Priority is not claimed, and accepted all the same."""

    def capabilities(self) -> BrokerCaps:
        return replace(super().capabilities(), priority=False)


class DropsLast(WrappedBroker):
    """The last message of a batch is not stored, and said to be ok."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        results = super().publish(items[:-1] if len(items) > 1 else items, deadline)
        return [*results, PublishResult()] if len(items) > 1 else results


class ReordersResults(WrappedBroker):
    """Results of a batch come in reverse."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        return super().publish(items, deadline)[::-1]


class ReordersMessages(WrappedBroker):
    """A batch is stored last message first."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        return super().publish(items[::-1], deadline)[::-1]


class DoublesUnderLoad(WrappedBroker):
    """Every 97th message is stored twice."""

    count = 0

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        results = super().publish(items, deadline)
        for item in items:
            self.count += 1
            if self.count % 97 == 0:
                super().publish([item], deadline)
        return results


class RetriesInside(WrappedBroker):
    """It publishes again by itself, as if the first answer had been lost."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        super().publish(items, deadline)
        return super().publish(items, deadline)


class FailsWhole(WrappedBroker):
    """One bad item fails its whole batch."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        results = super().publish(items, deadline)
        bad = next((result for result in results if not result.ok), None)
        return results if bad is None else [bad] * len(items)


class CreatesQueues(WrappedBroker):
    """A queue nobody declared is created by publishing to it."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        for item in items:
            try:
                self.depth([item.queue], deadline)
            except DriverError:
                self.declare([QueueSpec(item.queue)], deadline)
        return super().publish(items, deadline)


class AliasesNames(WrappedBroker):
    """Names that differ in capitals only are one queue."""

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        super().declare([replace(spec, name=spec.name.lower()) for spec in specs], deadline)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        return super().publish([replace(item, queue=item.queue.lower()) for item in items], deadline)

    def consumer(self, queues: Sequence[str], prefetch: int) -> Any:
        return super().consumer([name.lower() for name in queues], prefetch)


class AgreesToAll(WrappedBroker):
    """A contradicting declaration is accepted."""

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        try:
            super().declare(specs, deadline)
        except DriverError as error:
            if error.code is not Code.CONFLICT:
                raise


class PurgesAll(WrappedBroker):
    """Purging one queue empties it for good, what is in flight included."""

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        self.delete(queues, deadline)
        self.declare([QueueSpec(name) for name in queues], deadline)
        return dict.fromkeys(queues)


class LiesAboutDepth(WrappedBroker):
    """What is in flight counts as ready."""

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        found = super().depth(queues, deadline)
        return {
            name: Depth(one.ready + (one.in_flight or 0), one.in_flight, one.delayed) for name, one in found.items()
        }


class ConnectsInConstructor(WrappedBroker):
    """The constructor opens a socket."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        super().__init__(url, options, ctx)
        self.socket = socket.create_server(("127.0.0.1", 0))


class LeaksFiles(WrappedBroker):
    """Every opening leaves a file open."""

    def open(self, deadline: Deadline) -> None:
        super().open(deadline)
        os.open(Path(__file__), os.O_RDONLY)


class LogsPassword(WrappedBroker):
    """It logs its URL, password and all."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        logging.getLogger("acme").warning("connecting to %s", url)
        super().__init__(url, options, ctx)


class LeaksNative(WrappedBroker):
    """A native exception escapes when it is used after closing."""

    def ping(self, deadline: Deadline) -> None:
        try:
            super().ping(deadline)
        except DriverError as error:
            raise ConnectionError("socket is closed") from error


class Exits(WrappedBroker):
    """It ends the process."""

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        os._exit(3)


SABOTEURS = (
    saboteur("truncate-64k", Truncates, "BRK-012"),
    saboteur("str-headers", TextHeaders, "BRK-013", "BRK-018"),
    saboteur("deliver-early", DeliversEarly, "BRK-059"),
    saboteur("ignore-ttl", IgnoresTtl, "BRK-060"),
    saboteur("ignore-priority", IgnoresPriority, "BRK-058"),
    saboteur("ignore-group", IgnoresGroup, "BRK-057"),
    saboteur("ignore-dedup", IgnoresDedup, "BRK-061"),
    saboteur("silent-field", SilentField, "BRK-065"),
    saboteur("drop-last-of-batch", DropsLast, "BRK-016"),
    saboteur("reorder-results", ReordersResults, "BRK-016"),
    saboteur("reorder-messages", ReordersMessages, "BRK-056"),
    saboteur("duplicate-under-load", DoublesUnderLoad, "BRK-027"),
    saboteur("retry-inside-publish", RetriesInside, "BRK-012", "BRK-066"),
    saboteur("fail-whole-batch", FailsWhole, "BRK-017"),
    saboteur("auto-create-queue", CreatesQueues, "BRK-010"),
    saboteur("alias-names", AliasesNames, "BRK-011"),
    saboteur("agree-to-all", AgreesToAll, "BRK-009"),
    saboteur("purge-all", PurgesAll, "BRK-064"),
    saboteur("lie-about-depth", LiesAboutDepth, "BRK-063"),
    saboteur("connect-in-constructor", ConnectsInConstructor, "BRK-001", "PLG-006"),
    saboteur("leak-files", LeaksFiles, "BRK-004"),
    saboteur("log-password", LogsPassword, "PLG-007"),
    saboteur("leak-native-error", LeaksNative, "BRK-002"),
    saboteur("exit", Exits, "BRK-012"),
)
