"""Reaches RabbitMQ for the conformance suite: a server of its own, or the one that ``AMQP_URL`` names.

``AMQP_QUEUE_TYPE=quorum`` judges the plugin with quorum queues, which count attempts and have no priorities.
"""

import os
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from kernel_conformance import BrokerHarness
from kernel_conformance.servers.rabbitmq import PASSWORD, USER, RabbitMQ


class AmqpHarness(BrokerHarness):
    """Everything can be broken where the server is its own; a real one is only talked to."""

    def __init__(self) -> None:
        self.options = {"queue_type": os.environ.get("AMQP_QUEUE_TYPE", "classic")}
        given = os.environ.get("AMQP_URL", "")
        if given:
            self.url, self.server_name = given, "the server of AMQP_URL"
            self.faults = frozenset({"proc"})
            self.secret = urlsplit(given).password or ""
            return
        self._rabbit = RabbitMQ()
        self.server = self._rabbit
        self.server_name = f"{self._rabbit.version}, {self.options['queue_type']} queues"
        self.faults = frozenset({"kill", "restart", "proxy", "proc"})
        self.url = f"amqp://{USER}:{PASSWORD}@{{host}}:{{port}}//"
        self.wrong_urls = (f"amqp://{USER}:wrong@{{host}}:{{port}}//", f"amqp://nobody:{PASSWORD}@{{host}}:{{port}}//")
        self.secret = PASSWORD

    def start(self) -> None:
        """See :meth:`kernel_conformance.harness.Harness.start`."""
        super().start()
        if self.server is not None:
            self.plain_urls = self._untrusted()

    def _untrusted(self) -> Sequence[str]:
        """A server without TLS, and one whose authority is another."""
        login = f"amqps://{USER}:{PASSWORD}@127.0.0.1"
        other = quote(str(self._rabbit.other_authority))
        return (f"{login}:{{port}}//", f"{login}:{self._rabbit.tls_port}//?ssl_ca_certs={other}")
