"""The connection to the deployment: one client of the library, its clock, its errors."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.database import Database

from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_backend_mongo.address import Address
from plugin_backend_mongo.errors import Translation

logger = logging.getLogger("kernel.backend.mongo")

Document = dict[str, Any]
CLOCK_S = 300.0
"""How long a reading of the server's clock is relied on."""
_LEAST_S = 0.001


class Session:
    """Opens, closes and lends the client. Nothing is connected before ``open``.

    Args:
        address: where to.
        namespace: first part of the names of collections.
    """

    def __init__(self, address: Address, namespace: str) -> None:
        self._address = address
        self._namespace = namespace
        self._translate = Translation(address.name, address.secrets)
        self._lock = threading.Lock()
        self._client: MongoClient[Document] | None = None
        self._opened = False
        self._inherited: list[object] = []
        self._clock = (0.0, float("-inf"))
        self.has_streams = False

    def open(self, deadline: Deadline) -> None:
        """Connect, read the clock, and make the indexes."""
        self._opened = True
        try:
            with self.call("connecting", deadline) as database:
                hello = database.client.admin.command("hello")
                self.has_streams = self._address.streams
                self._set_clock(hello)
                self._make_indexes(database)
        except DriverError:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; what runs on them fails."""
        self._opened = False
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def abandon(self) -> None:
        """In a forked child: keep the parent's client and never use it; closing it would talk to the server."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._inherited.append(self._client)
        self._client = None

    @contextlib.contextmanager
    def call(self, what: str, deadline: Deadline) -> Iterator[Database[Document]]:
        """The database, for operations that together keep to a deadline.

        Raises:
            DriverError: CLOSED, TIMEOUT, or what the operations came to.
        """
        if not self._opened:
            raise DriverError(Code.CLOSED, f"{self._address.name} is not open", cure="Call open() first.")
        deadline.check(f"{self._address.name}: {what}")
        try:
            client = self._connected()
            if not client.topology_description.has_readable_server():
                self._find_server(client, deadline)
            with pymongo.timeout(max(deadline.left(), _LEAST_S)):
                yield client[self._address.database]
        except Exception as error:
            found = self._translate(error, what)
            if not self._opened and found.code is not Code.CLOSED:
                raise DriverError(Code.CLOSED, f"{self._address.name} was closed meanwhile") from error
            if found is error:
                raise
            raise found from error

    def now_ms(self, deadline: Deadline) -> int:
        """Unix time in milliseconds as the server has it, so that the clocks of its clients need not agree."""
        offset, read = self._clock
        if time.monotonic() - read > CLOCK_S:
            with self.call("reading the clock", deadline) as database:
                self._set_clock(database.client.admin.command("hello"))
            offset, _ = self._clock
        return round((time.monotonic() + offset) * 1000)

    def collection(self, kind: str) -> str:
        """The name of a collection: ``celery_taskmeta``."""
        return f"{self._namespace}_{kind}"

    def _connected(self) -> MongoClient[Document]:
        client = self._client
        if client is not None:
            return client
        with self._lock:
            if self._client is None:
                settings: dict[str, Any] = dict(self._address.settings)
                self._client = MongoClient(self._address.url, connect=False, tz_aware=True, tzinfo=UTC, **settings)
            return self._client

    def _find_server(self, client: MongoClient[Document], deadline: Deadline) -> None:
        """Wait for a server, not as long as the caller may wait for an answer."""
        with pymongo.timeout(max(min(deadline.left(), self._address.selection_s), _LEAST_S)):
            client.admin.command("ping")

    def _set_clock(self, hello: Mapping[str, Any]) -> None:
        told = hello.get("localTime")
        moment = told.timestamp() if isinstance(told, datetime) else time.time()
        read = time.monotonic()
        self._clock = (moment - read, read)

    def _make_indexes(self, database: Database[Document]) -> None:
        for kind in ("taskmeta", "groupmeta", "counter", "join", "joinmember"):
            self._make_index(database, kind, "expires", expireAfterSeconds=0)
        self._make_index(database, "joinmember", "join")

    def _make_index(self, database: Database[Document], kind: str, field: str, **options: Any) -> None:
        """A client that may only read works without."""
        try:
            database[self.collection(kind)].create_index(field, **options)
        except pymongo.errors.OperationFailure as error:
            if self._translate(error, "").code is not Code.AUTH:
                raise
            logger.warning("No index on %s of %s: results do not expire: %s", field, self.collection(kind), error)
