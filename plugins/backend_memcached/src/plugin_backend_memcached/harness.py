"""How the conformance suite reaches memcached: a server of its own, or the one that MEMCACHED_URL names."""

import os
import uuid
from collections.abc import Mapping
from types import MappingProxyType

from kernel_conformance import BackendHarness
from kernel_conformance.servers.memcached import MemcachedServer

MEMORY_MB = 64


class MemcachedHarness(BackendHarness):
    """Starts a server, unless MEMCACHED_URL names a real one, which is then neither killed nor put behind a proxy.

    Nothing else on a server is touched: every case has a namespace of its own.
    """

    options: Mapping[str, object] = MappingProxyType({"tombstone_s": 600.0})

    def __init__(self) -> None:
        real = os.environ.get("MEMCACHED_URL", "")
        if real:
            self.url = real
            self.server_name = "the servers of MEMCACHED_URL"
            self.faults = frozenset({"proc"})
            return
        self.url = "memcached://{host}:{port}/"
        self.faults = frozenset({"kill", "restart", "proxy", "proc"})
        self.capacity = MEMORY_MB << 20
        self.memcached = MemcachedServer(memory_mb=MEMORY_MB)
        self.server = self.memcached

    def start(self) -> None:
        """Start it; see :meth:`kernel_conformance.harness.Harness.start`."""
        super().start()
        if self.server is not None:
            self.server_name = self.memcached.version

    def current_url(self) -> str:
        """The URL; a new namespace begins with it."""
        self.namespace = f"conformance-{uuid.uuid4().hex[:12]}"
        return super().current_url()
