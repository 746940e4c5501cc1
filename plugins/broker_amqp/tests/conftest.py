"""Servers and brokers for the tests."""

import uuid

import pytest

from kernel.contracts import Deadline, PluginContext
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.servers.rabbitmq import RabbitMQ
from plugin_broker_amqp.broker import AmqpBroker


@pytest.fixture(scope="package")
def rabbit():
    """A server for all of these tests, which use names of their own. Strict enough for what they need."""
    strict = "{consumer_timeout, 2000}, {channel_tick_interval, 1000}, {max_message_size, 100000}"
    made = RabbitMQ(advanced=strict)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def make(rabbit):
    """Makes opened brokers that are closed afterwards."""
    brokers = []

    def maker(url="", namespace="", opened=True, **options):
        context = PluginContext(namespace or f"ns{uuid.uuid4().hex[:8]}")
        broker = AmqpBroker(url or rabbit.url, options, context)
        brokers.append(broker)
        if opened:
            broker.open(Deadline.after(10))
        return broker

    yield maker
    for broker in brokers:
        broker.close(Deadline.after(5))


@pytest.fixture
def proxy(rabbit):
    """A proxy in front of the server."""
    made = ChaosProxy(rabbit.address)
    yield made
    made.close()


@pytest.fixture
def name():
    """A name nobody else uses."""
    return f"q-{uuid.uuid4().hex[:12]}"
