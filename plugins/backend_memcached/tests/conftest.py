"""Servers and backends for the tests."""

import pytest
from pymemcache.client.base import Client

from kernel.contracts import Deadline, PluginContext
from kernel_conformance.servers.memcached import MemcachedServer
from plugin_backend_memcached.backend import MemcachedBackend


@pytest.fixture(scope="module")
def server():
    """A server for a module; tests use ids of their own."""
    made = MemcachedServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def fleet():
    """Two servers that a test may kill."""
    made = [MemcachedServer(), MemcachedServer()]
    for one in made:
        one.start()
    yield made
    for one in made:
        one.stop()


@pytest.fixture
def raw_at():
    """Makes clients that look at a server past the plugin; they are closed at the end."""
    opened = []

    def make(address):
        opened.append(Client(address, default_noreply=False))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def backend_at():
    """Makes open backends of namespace ``celery``; they are closed at the end."""
    opened = []

    def make(*addresses, **options):
        url = "cache+memcached://" + ";".join(f"{host}:{port}" for host, port in addresses) + "/"
        backend = MemcachedBackend(url, options, PluginContext("celery"))
        backend.open(Deadline.after(10))
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close(Deadline.after(5))
