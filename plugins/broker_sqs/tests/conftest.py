import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from kernel.contracts import Broker, Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.model.topology import QueueSpec
from kernel_conformance.server import Server
from kernel_conformance.servers.localstack import LocalStackServer
from kernel_conformance.servers.moto import MotoServer
from plugin_broker_sqs.plugin import plugin

SECRET = "not-a-real-secret-key"


def soon(seconds: float = 15.0) -> Deadline:
    return Deadline.after(seconds)


class Site:
    """One server, brokers on it, and a client of the SDK past them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._made: list[Broker] = []

    def url(self, address: tuple[str, int] | None = None, query: str = "region=us-east-1") -> str:
        host, port = address or self.server.address
        return f"sqs://key:{SECRET}@{host}:{port}?{query}"

    def unopened(self, url: str = "", namespace: str = "kernel", **options: Any) -> Broker:
        made = plugin.kernel_brokers()["sqs"](
            url or self.url(), {"wait_time_s": 1, **options}, PluginContext(namespace)
        )
        self._made.append(made)
        return made

    def broker(self, url: str = "", namespace: str = "kernel", **options: Any) -> Broker:
        made = self.unopened(url, namespace, **options)
        made.open(soon())
        return made

    def queue(self, broker: Broker, ending: str = "", **fields: Any) -> str:
        name = f"q-{uuid.uuid4().hex[:10]}{ending}"
        broker.declare([QueueSpec(name, **fields)], soon())
        return name

    @property
    def sdk(self) -> Any:
        host, port = self.server.address
        return boto3.session.Session().client(
            "sqs",
            region_name="us-east-1",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="key",
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def sdk_url(self, name: str) -> str:
        return str(self.sdk.get_queue_url(QueueName=name)["QueueUrl"])

    @staticmethod
    def message(queue: str, number: int = 1, body: bytes = b"body", **fields: Any) -> Outgoing:
        return Outgoing(queue, body, {"task": "t", "id": f"i{number}"}, f"i{number}", **fields)

    @staticmethod
    def send(broker: Broker, *items: Outgoing) -> None:
        results = broker.publish(items, soon())
        assert [result.error for result in results] == [None] * len(items)

    @staticmethod
    def settle(consumer: Any, kind: SettleKind, *deliveries: Any, **fields: Any) -> None:
        results = consumer.settle([Settle(one, kind, **fields) for one in deliveries], soon())
        assert [result.error for result in results] == [None] * len(deliveries)

    @staticmethod
    def take(consumer: Any, count: int, seconds: float = 15.0) -> list[Any]:
        found: list[Any] = []
        end = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} messages came"
            found += consumer.receive(count - len(found), 1.0)
        return found

    def close(self) -> None:
        for made in self._made:
            made.close(soon(5.0))


def _started(server: Server) -> Iterator[Server]:
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    yield from _started(MotoServer())


@pytest.fixture(scope="session")
def localstack_server() -> Iterator[Server]:
    yield from _started(LocalStackServer())


@pytest.fixture(autouse=True)
def _no_credentials_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def moto(moto_server: Server) -> Iterator[Site]:
    made = Site(moto_server)
    yield made
    made.close()


@pytest.fixture
def localstack(localstack_server: Server) -> Iterator[Site]:
    made = Site(localstack_server)
    yield made
    made.close()


@pytest.fixture
def site(localstack: Site) -> Site:
    """The stricter of the two servers; the conformance suite meets moto."""
    return localstack
