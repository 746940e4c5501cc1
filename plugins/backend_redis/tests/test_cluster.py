"""Everything a backend does, where the server refuses a request whose keys are on several nodes."""

import threading
import time

import pytest

from kernel.contracts import Deadline, PluginContext, Record, StoreMode
from kernel_conformance.servers.redis import RedisServer
from plugin_backend_redis.backend import RedisBackend


def soon(seconds=10.0):
    return Deadline.after(seconds)


@pytest.fixture
def cluster():
    node = RedisServer(fsync="everysec", extra={"cluster-enabled": "yes"})
    node.start()
    node.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    end = time.monotonic() + 20
    while "cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
        assert time.monotonic() < end, "the cluster does not form"
        time.sleep(0.05)
    yield node
    node.stop()


def test_all_of_it(cluster):
    url = f"redis+cluster://:{cluster.password}@127.0.0.1:{cluster.address[1]}"
    with RedisBackend(url, {"global_keyprefix": "{jobs}"}, PluginContext("proj")) as backend:
        ids = [f"t{number}" for number in range(250)]
        for mode in StoreMode:
            backend.store([Record(one, "STARTED", b"1") for one in ids], mode, soon())
        assert all(record.status == "STARTED" for record in backend.fetch(ids, soon()))
        timer = threading.Timer(0.2, backend.store, ([Record("t7", "SUCCESS", b"2")], StoreMode.UPSERT, soon()))
        timer.start()
        assert [one.id for one in backend.wait(ids, 1, soon())] == ["t7"]
        timer.join()
        assert backend.add("c", 5, 60, soon()) == 5
        backend.expect("g", 2, 60, soon())
        assert not backend.join("g", "a", b"1", 2, 60, soon()).won
        assert backend.join("g", "b", b"2", 2, 60, soon()).payloads == (b"1", b"2")
        backend.joined("g", 60, soon())
        backend.save_group("g", b"[]", 60, soon())
        assert backend.fetch_group("g", soon()) == b"[]"
        assert backend.forget(ids, soon()) == 250
        keys = cluster.ask("KEYS", "*").split()
        assert keys
        assert all(key.startswith("{jobs}_proj-") for key in keys), keys
