import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contracts_toy import BatchToyBroker, BoundToyBroker, Toy, ToyBroker

from kernel.contracts import Deadline, PluginContext
from kernel.model.topology import QueueSpec


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def make(toy):
    """Makes an opened broker of a class, with the queues a and b; all are closed in the end."""
    made = []

    def build(kind=ToyBroker, opened=True):
        broker = kind("toy://me:pa%2Fss@host/x", {}, PluginContext())
        broker.toy = toy
        if opened:
            broker.open(Deadline.after(5))
            broker.declare([QueueSpec("a"), QueueSpec("b")], Deadline.after(5))
            made.append(broker)
        return broker

    yield build
    for broker in made:
        broker.close(Deadline.after(5))
    assert not [conn for conn in toy.connections if conn.open], "a connection was left open"


@pytest.fixture
def broker(make):
    return make()


@pytest.fixture
def batch_broker(make):
    return make(BatchToyBroker)


@pytest.fixture
def bound_broker(make):
    return make(BoundToyBroker)
