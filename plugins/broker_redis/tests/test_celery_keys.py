"""The keys that Celery's clients see (wire.md 7), past the plugin."""

import json
import time

import pytest

from kernel.contracts import Deadline, Outgoing, Settle, SettleKind
from kernel.model.topology import Binding, Exchange, QueueSpec


def soon(seconds=10.0):
    return Deadline.after(seconds)


SEP = "\x06\x16"


def message(queue="celery", n=1, **fields):
    return Outgoing(queue, b"body", {"task": "t", "id": f"i{n}"}, f"i{n}", routing_key=queue, **fields)


def declared(broker, *names, **fields):
    broker.declare([QueueSpec(name, **fields) for name in names], soon())


def settled(consumer, kind, *deliveries, **fields):
    results = consumer.settle([Settle(one, kind, **fields) for one in deliveries], soon())
    assert [result.error for result in results] == [None] * len(deliveries)


def entries(site):
    found = json.loads(site.ask("--json", "HGETALL", "unacked") or "{}")
    return {tag: json.loads(value) for tag, value in found.items()}


def test_messages_wait_in_the_lists_of_their_steps(site):
    broker = site.broker()
    declared(broker, "celery")
    broker.publish([message(n=n, priority=n) for n in range(10)] + [message(n=99)], soon())
    assert [int(site.ask("LLEN", f"celery{end}")) for end in ("", f"{SEP}3", f"{SEP}6", f"{SEP}9")] == [4, 3, 3, 1]
    first = json.loads(site.ask("LINDEX", "celery", -1))
    assert first["headers"]["id"] == "i0", "the right end is the oldest"


def test_with_celery_zero_is_the_most_urgent(site):
    broker = site.broker()
    declared(broker, "celery")
    broker.publish([message(n=n, priority=n) for n in (9, 5, 0, 3, 6)], soon())
    found = broker.consumer(["celery"], 0).receive(10, 0)
    assert [one.message.priority for one in found] == [0, 5, 3, 6, 9]


def test_elsewhere_nine_is_and_every_priority_counts(site):
    broker = site.broker("kernel")
    declared(broker, "jobs")
    broker.publish([message("jobs", n=n, priority=n) for n in (3, 9, 4, 0, 5)], soon())
    found = broker.consumer(["jobs"], 0).receive(10, 0)
    assert [one.message.priority for one in found] == [9, 5, 4, 3, 0]


def test_a_reservation_is_an_entry_celery_can_restore(site):
    broker = site.broker()
    declared(broker, "celery", lease_s=100.0)
    broker.publish([message()], soon())
    consumer = broker.consumer(["celery"], 0)
    before = time.time()
    [found] = consumer.receive(1, 5)
    assert site.ask("LLEN", "celery") == "0"
    [(tag, (envelope, exchange, key))] = entries(site).items()
    assert tag == found.receipt
    assert (envelope["headers"]["id"], exchange, key) == ("i1", "", "celery")
    score = float(site.ask("ZSCORE", "unacked_index", tag))
    assert before - 3500 - 1 <= score <= time.time() - 3500, "a Celery worker restores what is 3600 s old: in 100 s"
    settled(consumer, SettleKind.ACK, found)
    assert (site.ask("EXISTS", "unacked"), site.ask("EXISTS", "unacked_index")) == ("0", "0")


def test_what_a_celery_worker_left_is_restored_and_taken_next(site):
    broker = site.broker()
    declared(broker, "celery")
    broker.publish([message(n=1, priority=3)], soon())
    text = site.ask("RPOP", f"celery{SEP}3")
    broker.publish([message(n=2, priority=3)], soon())
    site.ask("HSET", "unacked", "a-uuid", json.dumps([json.loads(text), "", "celery"]))
    site.ask("ZADD", "unacked_index", time.time() - 3601, "a-uuid")
    consumer = broker.consumer(["celery"], 0)
    found = consumer.receive(1, 5) + consumer.receive(1, 5)
    assert {one.message.id: one.redelivered for one in found} == {"i1": True, "i2": False}
    assert {one.message.id: one.attempt for one in found} == {"i1": 2, "i2": 1}
    assert set(entries(site)) == {one.receipt for one in found}


def test_what_a_celery_worker_took_through_a_topic_is_restored_to_its_queues(site):
    broker = site.broker()
    news = Exchange("news", "topic")
    broker.declare(
        [QueueSpec("a", bindings=(Binding(news, "x.#"),)), QueueSpec("b", bindings=(Binding(news, "y"),))], soon()
    )
    text = {"headers": {"task": "t", "id": "i"}, "body": "", "content-type": "text/plain", "properties": {}}
    site.ask("HSET", "unacked", "tag", json.dumps([text, "news", "x.1"]))
    site.ask("ZADD", "unacked_index", 1, "tag")
    found = broker.consumer(["a", "b"], 0).receive(10, 5)
    assert [(one.message.queue, one.message.id) for one in found] == [("a", "i")]


def test_an_entry_nobody_can_read_is_kept_apart(site):
    broker = site.broker()
    declared(broker, "celery")
    site.ask("HSET", "unacked", "tag", "garbage")
    site.ask("ZADD", "unacked_index", 1, "tag")
    assert broker.consumer(["celery"], 0).receive(1, 0.3) == []
    assert site.ask("HLEN", "unacked") == "0"
    assert site.ask("LLEN", "_kernel.unreadable") == "1"


def test_a_younger_entry_of_a_celery_worker_is_left_alone(site):
    broker = site.broker()
    declared(broker, "celery")
    site.ask("HSET", "unacked", "tag", json.dumps([{}, "", "celery"]))
    site.ask("ZADD", "unacked_index", time.time() - 3000, "tag")
    assert broker.consumer(["celery"], 0).receive(1, 0.3) == []
    assert site.ask("HLEN", "unacked") == "1"


def test_a_delay_is_an_entry_nobody_holds(site):
    """So that a Celery worker delivers it, late, when no worker of ours is left."""
    broker = site.broker()
    declared(broker, "celery")
    broker.publish([message(delay_s=50)], soon())
    assert site.ask("LLEN", "celery") == "0"
    [(tag, (envelope, exchange, key))] = entries(site).items()
    assert (envelope["headers"]["id"], exchange, key) == ("i1", "", "celery")
    assert time.time() - 3560 < float(site.ask("ZSCORE", "unacked_index", tag)) < time.time() - 3540
    depth = broker.depth(["celery"], soon())["celery"]
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 0, 1)


def test_what_is_no_envelope_is_delivered_to_be_rejected(site):
    broker = site.broker()
    declared(broker, "celery", dead_letter="dead")
    site.ask("LPUSH", "celery", "no json")
    consumer = broker.consumer(["celery"], 0)
    [found] = consumer.receive(1, 5)
    assert (found.message.body, found.message.headers) == (b"no json", {})
    assert isinstance(entries(site)[found.receipt][0], dict), "a Celery worker that restores it would die of it"
    settled(consumer, SettleKind.REJECT, found, reason="no message")
    [dead] = broker.consumer(["dead"], 0).receive(1, 5)
    assert (dead.message.body, dead.dead_reason, dead.dead_queue) == (b"no json", "no message", "celery")


def test_bindings_are_where_celery_looks(site):
    broker = site.broker()
    direct, topic = Exchange("d", "direct"), Exchange("t", "topic")
    broker.declare([QueueSpec("q", exchange=direct, routing_key="k", bindings=(Binding(topic, "a.*.#"),))], soon())
    for key in ("_kombu.binding", "_kombu.binding_permanent"):
        assert json.loads(site.ask("--json", "SMEMBERS", f"{key}.d")) == [f"k{SEP}{SEP}q"]
        assert json.loads(site.ask("--json", "SMEMBERS", f"{key}.t")) == [f"a.*.#{SEP}^a\\.[^\\.]+\\..*?${SEP}q"]
    broker.delete(["q"], soon())
    assert site.ask("KEYS", "*binding*") == ""


def test_a_queue_only_celery_knows_is_reached_through_its_binding(site):
    broker = site.broker()
    site.ask("SADD", "_kombu.binding.reply.celery.pidbox", f"oid{SEP}{SEP}oid.reply.celery.pidbox")
    item = Outgoing("", b"{}", {}, "x", exchange="reply.celery.pidbox", routing_key="oid")
    assert broker.publish([item], soon())[0].ok
    assert site.ask("LLEN", "oid.reply.celery.pidbox") == "1"


@pytest.mark.parametrize(
    ("exchange", "kind", "binding", "key", "channel"),
    [
        ("celery.pidbox", "fanout", "", "", "/{db}.celery.pidbox"),
        ("celeryev", "topic", "worker.#", "worker.online", "/{db}.celeryev/worker.online"),
        ("news", "fanout", "", "any", "/{db}.news/any"),
    ],
)
def test_fanout_is_published_on_channels(site, exchange, kind, binding, key, channel):
    listener, publisher = site.broker(), site.broker()
    ex = Exchange(exchange, kind)
    listener.declare([QueueSpec("own", temporary=True, bindings=(Binding(ex, binding),))], soon())
    consumer = listener.consumer(["own"], 0)
    assert publisher.publish([Outgoing("", b"hi", {}, "m", exchange=exchange, routing_key=key)], soon())[0].ok
    [found] = consumer.receive(5, 5)
    assert (found.message.body, found.message.queue) == (b"hi", "own")
    text = json.dumps({"body": "raw", "headers": {}, "properties": {}, "content-type": "text/plain"})
    assert site.ask("PUBLISH", channel.format(db=site.db), text) == "1"
    [found] = consumer.receive(5, 5)
    assert found.message.body == b"raw"
    settled(consumer, SettleKind.RELEASE, found)
    [again] = consumer.receive(5, 5)
    assert again.message == found.message


def test_a_prefix_stands_before_every_key_and_channel(site):
    broker = site.broker(global_keyprefix="app:")
    exchange = Exchange("news", "fanout")
    broker.declare([QueueSpec("q"), QueueSpec("own", temporary=True, bindings=(Binding(exchange),))], soon())
    broker.publish([message("q"), message("q", n=2, delay_s=60)], soon())
    broker.consumer(["q"], 0).receive(1, 5)
    keys = site.ask("KEYS", "*").split("\n")
    assert keys
    assert all(key.startswith("app:") for key in keys), keys
    assert site.ask("PUBLISH", f"app:/{site.db}.news", "{}") == "1"


def test_a_queue_that_expires_takes_its_messages_along(site):
    broker = site.broker()
    declared(broker, "brief", expires_s=60.0)
    broker.publish([message("brief")], soon())
    assert 0 < int(site.ask("PTTL", "brief")) <= 60_000
    site.ask("ZADD", "_kernel.expiring", 1, "brief")
    declared(broker, "other")
    broker.consumer(["other"], 0).receive(1, 0)
    assert site.ask("HEXISTS", "_kernel.queues", "brief") == "0"
    assert site.ask("EXISTS", "brief") == "0"


def test_with_celery_what_is_expired_is_delivered_to_be_revoked(site):
    """A call that nobody answers would be pending for ever; a queue's own time to live is kept all the same."""
    broker, plain = site.broker(), site.broker("kernel")
    declared(broker, "celery", "brief", ttl_s=None)
    declared(broker, "queue-ttl", ttl_s=0.05)
    broker.publish([message(ttl_s=0.05), message("queue-ttl", n=2)], soon())
    plain.publish([message("brief", n=3, ttl_s=0.05)], soon())
    time.sleep(0.1)
    found = broker.consumer(["celery", "brief", "queue-ttl"], 0).receive(10, 0.5)
    assert [one.message.id for one in found] == ["i1"]
