import itertools

import pytest

from kernel.contracts import Deadline, PluginContext
from kernel_conformance.servers.redis import DATABASES, RedisServer
from plugin_backend_redis.backend import RedisBackend


@pytest.fixture(scope="session")
def server():
    made = RedisServer(fsync="everysec")
    made.start()
    yield made
    made.stop()


NUMBERS = itertools.cycle(range(1, DATABASES))


class Site:
    """One database, backends on it, and its keys past them."""

    def __init__(self, server):
        self.server = server
        self.db = next(NUMBERS)
        self.url = server.url.removesuffix("/0") + f"/{self.db}"
        self._made = []

    def backend(self, namespace="celery", url="", formats=None, **options):
        made = RedisBackend(url or self.url, options, PluginContext(namespace, formats=formats))
        made.open(Deadline.after(10))
        self._made.append(made)
        return made

    def ask(self, *words):
        return self.server.ask("-n", str(self.db), *map(str, words))

    def close(self):
        for made in self._made:
            made.close(Deadline.after(5))


@pytest.fixture
def site(server):
    made = Site(server)
    yield made
    made.close()
