"""The toy's harness: everything can be broken."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from kernel.contracts import PluginContext
from kernel_conformance.harness import BrokerHarness
from kernel_conformance.server import Server
from kernel_conformance.toy.driver import ToyBroker
from kernel_conformance.toy.server import PASSWORD


class ToyHarness(BrokerHarness):
    """Starts the toy's server; ``factory`` is the driver, or a saboteur of it."""

    faults = frozenset({"kill", "restart", "proxy", "proc"})
    server_name = "the suite's own toy server"
    url = f"toy://:{PASSWORD}@{{host}}:{{port}}"
    wrong_urls = ("toy://:another@{host}:{port}",)
    secret = PASSWORD

    def __init__(self, factory: Callable[..., Any] = ToyBroker) -> None:
        self._factory = factory
        self.server = Server(f"{sys.executable} -m kernel_conformance.toy.server {{port}} {{dir}}")

    def make(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> Any:
        return self._factory(url, options, ctx)
