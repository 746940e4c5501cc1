"""How the conformance suite reaches MongoDB: a server that speaks its protocol, or the real one of MONGO_URL."""

import os
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from kernel_conformance import BackendHarness
from kernel_conformance.servers.nx import NxServer


class MongoHarness(BackendHarness):
    """Starts nx-27017, unless MONGO_URL names a deployment, which is then neither killed nor put behind a proxy.

    Every case has a database of its own, whose name begins with ``conformance_``.
    """

    options: Mapping[str, object] = MappingProxyType({"tombstone_s": 600.0})

    def __init__(self) -> None:
        self._real = os.environ.get("MONGO_URL", "")
        if self._real:
            self.server_name = "the deployment of MONGO_URL"
            self.faults = frozenset({"proc"})
        else:
            self.server = NxServer()
            self.server_name = f"{self.server.version}, not MongoDB; one defect of it mended (nx_mended.py)"
            self.faults = frozenset({"kill", "restart", "proxy", "proc"})
        self._name_database()

    def current_url(self) -> str:
        """The URL, with a new database."""
        self._name_database()
        return super().current_url()

    def _name_database(self) -> None:
        name = f"conformance_{uuid.uuid4().hex[:16]}"
        if self._real:
            self.url = urlsplit(self._real)._replace(path=f"/{name}").geturl()
        else:
            self.url = f"mongodb://{{host}}:{{port}}/{name}"
