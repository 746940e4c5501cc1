"""A consumer that waits: woken by what is for it, and not by what others do (``CLIENT TRACKING``)."""

import threading
import time

from kernel.contracts import Outgoing, Settle, SettleKind
from kernel.model.topology import QueueSpec
from kernel_conformance.proxy import ChaosProxy
from plugin_broker_redis.reserving import LEASES_S

from .conftest import soon

MANY = 300


def test_it_does_not_look_whenever_others_take_and_settle(site):
    """Their leases are in the same index as ours; a look at it now and then is enough."""
    others = site.broker()
    others.declare([QueueSpec("busy"), QueueSpec("idle")], soon())
    with ChaosProxy(site.server.address) as proxy:
        host, port = proxy.address
        url = site.url.rpartition("@")[0] + f"@{host}:{port}/{site.db}"
        waiting = site.broker(url=url).consumer(["idle"], 1)
        assert waiting.receive(1, 0) == []
        before = proxy.requests
        assert [waiting.receive(1, 0) for _ in range(20)] == [[]] * 20
        look, found = (proxy.requests - before) / 20, []
        thread = threading.Thread(target=lambda: found.extend(waiting.receive(1, 30)))
        thread.start()
        busy, began, before = others.consumer(["busy"], 1), time.monotonic(), proxy.requests
        for number in range(MANY):
            others.publish([Outgoing("busy", b"x", {}, f"b{number}")], soon())
            (delivery,) = busy.receive(1, 5)
            busy.settle([Settle(delivery, SettleKind.ACK)], soon())
        looks, elapsed = (proxy.requests - before) / look, time.monotonic() - began
        others.publish([Outgoing("idle", b"x", {}, "i")], soon())
        thread.join(10)
        assert [delivery.message.id for delivery in found] == ["i"]
    assert looks <= 2 * (elapsed / LEASES_S + 3)


def test_what_somebody_else_puts_aside_is_found_when_its_time_comes(site):
    """That leases changed is told, and the earliest of them says when to look."""
    others = site.broker()
    others.declare([QueueSpec("q")], soon())
    waiting, found = site.broker().consumer(["q"], 1), []
    thread = threading.Thread(target=lambda: found.extend([*waiting.receive(1, 10), time.monotonic()]))
    thread.start()
    sent = time.monotonic()
    others.publish([Outgoing("q", b"x", {}, "later", delay_s=0.2)], soon())
    thread.join(15)
    assert found[0].message.id == "later"
    assert found[1] - sent >= 0.2
