"""Harnesses of the plugins that come with the kernel: nothing to start, nothing to cut."""

import tempfile
import uuid
from collections.abc import Callable
from typing import Final

from kernel_conformance.formats import CompressionHarness, RouterHarness, SerializerHarness
from kernel_conformance.harness import BackendHarness, BrokerHarness, DriverHarness, Harness


class _InMemory(DriverHarness):
    """A store of its own name for every test. Other processes cannot reach it, so nothing can be killed."""

    embedded = True

    def current_url(self) -> str:
        return f"memory://{uuid.uuid4().hex}"


class _InFile(DriverHarness):
    """A file of its own for every test; other processes open the same one."""

    embedded = True
    faults = frozenset({"proc"})

    def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="conformance-sqlite-")

    def stop(self) -> None:
        self._folder.cleanup()

    def current_url(self) -> str:
        return f"sqlite:///{self._folder.name}/{uuid.uuid4().hex}.db"


class MemoryBrokerHarness(_InMemory, BrokerHarness):
    """``broker.memory``."""


class MemoryBackendHarness(_InMemory, BackendHarness):
    """``backend.memory``."""

    clocked = True


class SqliteBrokerHarness(_InFile, BrokerHarness):
    """``broker.sqlite``."""


class SqliteBackendHarness(_InFile, BackendHarness):
    """``backend.sqlite``."""

    clocked = True


BUILTIN: Final[dict[str, Callable[[], Harness]]] = {
    "broker.memory": MemoryBrokerHarness,
    "broker.sqlite": SqliteBrokerHarness,
    "backend.memory": MemoryBackendHarness,
    "backend.sqlite": SqliteBackendHarness,
}
"""Plugin → its harness."""

PLAIN: Final[dict[str, Callable[[], Harness]]] = {
    "serializer": SerializerHarness,
    "compression": CompressionHarness,
    "router": RouterHarness,
}
"""Kinds that need no harness of their own → the one they get."""
