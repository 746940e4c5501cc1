"""How the conformance suite reaches the broker: moto by default, LocalStack, or a real endpoint.

Environment: ``SQS_SERVER`` is ``moto`` or ``localstack``; ``SQS_ENDPOINT`` is the URL of a real endpoint, or ``aws``
for AWS itself, with the SDK's own credentials and region. ``SQS_QUEUES=fifo`` makes every queue a FIFO queue.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kernel.contracts import Deadline
from kernel_conformance import BrokerHarness
from kernel_conformance.outcome import NotRun
from kernel_conformance.servers.localstack import LocalStackServer
from kernel_conformance.servers.moto import MotoServer
from kernel_conformance.servers.sqs import SqsServer

SECRET = "not-a-real-secret-key"  # noqa: S105 - of a test server that takes any


@dataclass(frozen=True, slots=True)
class Choice:
    """A test server, and what to expect of it.

    Attributes:
        server: what starts it.
        name: what the report calls it.
        slack_s: how late what was hidden may come back, beside the whole seconds of every SQS.
        load: how many messages a test may use.
    """

    server: Callable[[], SqsServer]
    name: str
    slack_s: float
    load: int


SERVERS: Mapping[str, Choice] = {
    "moto": Choice(MotoServer, f"moto {MotoServer.version}, not AWS", 2.3, 100),
    "localstack": Choice(LocalStackServer, f"LocalStack SQS provider {LocalStackServer.version}, not AWS", 3.5, 300),
}


class SqsHarness(BrokerHarness):
    """Starts the server that the environment names, or uses the endpoint it names."""

    secret = SECRET
    plain_urls: Sequence[str] = (f"sqs://key:{SECRET}@{{host}}:{{port}}?tls=true&region=us-east-1",)

    def __init__(self) -> None:
        self.options: dict[str, object] = {"wait_time_s": 1, "fifo": _fifo()}
        endpoint = os.environ.get("SQS_ENDPOINT", "")
        if endpoint:
            self._use_endpoint(endpoint)
        else:
            self._use_server(os.environ.get("SQS_SERVER", "moto"))

    def raw_depth(self, queue: str) -> int | None:
        """Messages in the queue, hidden ones included, asked past the plugin's consumers."""
        broker = self.broker(self.current_url())
        with broker:
            found = broker.depth([queue], Deadline.after(10.0))[queue]
        return found.ready + (found.in_flight or 0) + (found.delayed or 0)

    def _use_server(self, name: str) -> None:
        if name not in SERVERS:
            raise NotRun(f"SQS_SERVER={name!r} is none of {', '.join(SERVERS)}")
        choice = SERVERS[name]
        self.server = choice.server()
        self.server_name = choice.name + (", FIFO queues" if _fifo() else "")
        self.slack_s = choice.slack_s
        self.load = choice.load
        self.faults = frozenset({"kill", "restart", "proxy", "proc"})
        self.url = f"sqs://key:{SECRET}@{{host}}:{{port}}?region=us-east-1"

    def _use_endpoint(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        host = "" if endpoint == "aws" else f"{parts.netloc}?tls={'true' if parts.scheme == 'https' else 'false'}"
        self.server_name = "AWS" if endpoint == "aws" else f"the endpoint {parts.netloc}"
        self.url = f"sqs://{host}"
        self.secret, self.plain_urls = "", ()
        self.slack_s = 4.0
        self.load = 300
        self.faults = frozenset({"proc"})

    def current_url(self) -> str:
        """The URL for a test."""
        return self.url if self.server is None else super().current_url()


def _fifo() -> bool:
    return os.environ.get("SQS_QUEUES", "") == "fifo"
