"""Everything a broker does, where the server refuses a request whose keys are on several nodes."""

import time

import pytest

from kernel.contracts import Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.model.topology import Binding, Exchange, QueueSpec
from kernel_conformance.servers.redis import RedisServer
from plugin_broker_redis.broker import RedisBroker


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
    with RedisBroker(url, {}, PluginContext("proj")) as broker:
        news = Exchange("news", "fanout")
        specs = [
            QueueSpec("a", dead_letter="dead", lease_s=1.0),
            QueueSpec("b", exchange=Exchange("d", "direct"), routing_key="k", expires_s=60.0),
            QueueSpec("own", temporary=True, bindings=(Binding(news),)),
        ]
        broker.declare(specs, soon())
        items = [Outgoing("a", b"x", {}, f"m{n}", priority=n, dedup_id=f"d{n}") for n in range(10)]
        items += [Outgoing("a", b"x", {}, "later", delay_s=0.3), Outgoing("a", b"x", {}, "gone", ttl_s=0.05)]
        items += [Outgoing("", b"x", {}, "direct", exchange="d", routing_key="k")]
        items += [Outgoing("", b"x", {}, "told", exchange="news")]
        assert [result.error for result in broker.publish(items, soon())] == [None] * len(items)
        assert broker.publish([Outgoing("a", b"x", {}, "single", routing_key="a")], soon())[0].ok
        assert [one.message.id for one in broker.peek("a", 1, soon())] == ["m9"]
        assert broker.depth(["b"], soon())["b"].ready == 1
        consumer = broker.consumer(["a", "b", "own"], 0)
        wanted = {f"m{n}" for n in range(10)} | {"later", "direct", "told", "single"}
        found, end = [], time.monotonic() + 20
        while not wanted <= {one.message.id for one in found}:
            assert time.monotonic() < end, [one.message.id for one in found]
            found += consumer.receive(20, 0.5)
        kinds = [SettleKind.ACK, SettleKind.RELEASE, SettleKind.REJECT, SettleKind.EXTEND]
        actions = [Settle(one, kinds[n % 4], reason="r", seconds=5.0) for n, one in enumerate(found)]
        results = consumer.settle(actions, soon())
        assert {str(result.error.code) for result in results if result.error} <= {"LEASE_LOST"}
        assert broker.purge(["a", "b"], soon()).keys() == {"a", "b"}
        broker.delete(["a", "b", "dead"], soon())
        keys = cluster.ask("KEYS", "*").split()
        assert all(key.startswith("{proj}:") for key in keys), keys
