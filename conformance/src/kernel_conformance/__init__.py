"""The conformance suite for plugins of `kernel`: the contracts, executable.

``kernel conformance run broker.acme`` judges a plugin; :class:`BrokerSuite` and its siblings give the same cases to
pytest. A plugin's harness derives from a class of :mod:`kernel_conformance.harness`.
"""

from kernel_conformance.announced import GROUP, Announced, harnesses
from kernel_conformance.collect import BackendSuite, BrokerSuite, CompressionSuite, RouterSuite, SerializerSuite
from kernel_conformance.formats import CompressionHarness, RouterHarness, SerializerHarness
from kernel_conformance.harness import BackendHarness, BrokerHarness, Harness
from kernel_conformance.outcome import NotRun
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.server import Server

__all__ = [
    "GROUP",
    "Announced",
    "BackendHarness",
    "BackendSuite",
    "BrokerHarness",
    "BrokerSuite",
    "ChaosProxy",
    "CompressionHarness",
    "CompressionSuite",
    "Harness",
    "NotRun",
    "RouterHarness",
    "RouterSuite",
    "SerializerHarness",
    "SerializerSuite",
    "Server",
    "harnesses",
]
