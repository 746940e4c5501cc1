import itertools

import pytest

from kernel.contracts import Deadline, PluginContext
from kernel_conformance.servers.redis import DATABASES, RedisServer
from plugin_broker_redis.broker import RedisBroker


def soon(seconds=10.0):
    return Deadline.after(seconds)


@pytest.fixture(scope="session")
def server():
    made = RedisServer(fsync="everysec")
    made.start()
    yield made
    made.stop()


NUMBERS = itertools.cycle(range(1, DATABASES))


class Site:
    """One database, brokers on it, and its keys past them."""

    def __init__(self, server):
        self.server = server
        self.db = next(NUMBERS)
        self.url = server.url.removesuffix("/0") + f"/{self.db}"
        self._made = []

    def broker(self, namespace="celery", url="", **options):
        made = RedisBroker(url or self.url, options, PluginContext(namespace))
        made.open(soon())
        self._made.append(made)
        return made

    def ask(self, *words):
        return self.server.ask("-n", str(self.db), *map(str, words))

    def close(self):
        for made in self._made:
            made.close(soon())


@pytest.fixture
def site(server):
    made = Site(server)
    yield made
    made.close()
