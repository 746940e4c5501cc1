"""What the conformance suite needs to know of Redis; imported by the suite only, with the extra ``test``."""

import itertools
import os
import uuid
from urllib.parse import urlsplit

from kernel_conformance import BackendHarness
from kernel_conformance.servers.redis import DATABASES, RedisServer


class RedisBackendHarness(BackendHarness):
    """``backend.redis`` on a server of its own, or on the one that ``REDIS_URL`` names; that one is not broken.

    Every test gets a database of its own; on a given server, a prefix of its own.
    """

    def __init__(self) -> None:
        self.given = os.environ.get("REDIS_URL", "")
        if self.given:
            self.url = self.given
            self.secret = urlsplit(self.given).password or ""
            self.faults = frozenset({"proc"})
            self.server_name = "the server of REDIS_URL"
            return
        self._numbers = itertools.cycle(range(1, DATABASES))
        server = self.server = self.redis = RedisServer()
        self.secret = server.password
        self.url = f"redis://:{server.password}@{{host}}:{{port}}/0"
        self.wrong_urls = ("redis://:another@{host}:{port}/0", "redis://{host}:{port}/0")
        self.faults = frozenset({"kill", "restart", "proxy", "proc"})

    def current_url(self) -> str:
        """The URL of the store for one test."""
        if self.given:
            self.options = {"global_keyprefix": f"conformance-{uuid.uuid4().hex}:"}
            return self.given
        self.url = f"redis://:{self.secret}@{{host}}:{{port}}/{next(self._numbers)}"
        return super().current_url()

    def start(self) -> None:
        """Start the server; see :meth:`kernel_conformance.Harness.start`."""
        super().start()
        if not self.given:
            self.server_name = self.redis.version
