"""What the conformance suite needs to know of Redis; imported by the suite only, with the extra ``test``."""

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from kernel_conformance import BrokerHarness
from kernel_conformance.servers.redis import RedisServer


class RedisBrokerHarness(BrokerHarness):
    """``broker.redis`` on a server of its own, or on the one that ``REDIS_URL`` names; that one is not broken."""

    def __init__(self) -> None:
        self.given = os.environ.get("REDIS_URL", "")
        if self.given:
            self.url = self.given
            self.secret = urlsplit(self.given).password or ""
            self.faults = frozenset({"proc"})
            self.server_name = "the server of REDIS_URL"
            return
        server = self.server = self.redis = RedisServer()
        self.secret = server.password
        self.url = f"redis://:{server.password}@{{host}}:{{port}}/0"
        self.wrong_urls = ("redis://:another@{host}:{port}/0", "redis://{host}:{port}/0")
        self.faults = frozenset({"kill", "restart", "proxy", "proc"})

    def start(self) -> None:
        """Start the server; see :meth:`kernel_conformance.Harness.start`."""
        super().start()
        if not self.given:
            self.server_name = self.redis.version

    @property
    def plain_urls(self) -> Sequence[str]:  # type: ignore[override] # the port is known when the server runs
        """Plain text to the TLS port, and TLS without trusting the server's certificate."""
        if self.given:
            return ()
        place = f":{self.redis.password}@{{host}}:{self.redis.tls_port}/0"
        return (f"redis://{place}", f"rediss://{place}")

    def raw_depth(self, queue: str) -> int | None:
        """Past the plugin: its lists, and what is unacknowledged anywhere."""
        if self.given:
            return None
        ask = self.redis.ask
        lists = [queue, *(f"{queue}\x06\x16{step}" for step in range(1, 10))]
        return sum(int(ask("LLEN", key)) for key in lists) + int(ask("HLEN", "unacked"))
