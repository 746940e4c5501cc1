"""A server and backends for the tests."""

import pytest
from pymongo import MongoClient

from kernel.contracts import Deadline, PluginContext
from kernel_conformance.servers.nx import NxServer
from plugin_backend_mongo.backend import MongoBackend


@pytest.fixture(scope="module")
def server():
    """A server for a module; every test has a database of its own."""
    made = NxServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def own_server():
    """A server that a test may kill."""
    made = NxServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def database(request):
    """The name of this test's database."""
    return "".join(sign if sign.isalnum() else "_" for sign in request.node.name)[:60]


@pytest.fixture
def raw(server, database):
    """The database, past the plugin."""
    host, port = server.address
    with MongoClient(host, port, tz_aware=True) as client:
        yield client[database]


@pytest.fixture
def backend_at(database):
    """Makes open backends of namespace ``celery``; they are closed at the end."""
    opened = []

    def make(address, formats=None, **options):
        host, port = address
        context = PluginContext("celery", formats=formats)
        options = {"joins": True, **options}
        backend = MongoBackend(f"mongodb://{host}:{port}/{database}", options, context)
        backend.open(Deadline.after(10))
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close(Deadline.after(5))
