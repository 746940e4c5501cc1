"""What the routing settings mean as queues and exchanges."""

from types import SimpleNamespace

import pytest

from kernel.engine.topology import build_topology, matching_queues, quarantine_spec, queue_spec
from kernel.errors import ImproperlyConfigured, QueueNotFound
from kernel.model.config import Config
from kernel.model.topology import Binding, Exchange, QueueSpec


def test_without_settings_there_is_one_queue_named_after_the_namespace():
    topology = build_topology(Config())
    assert topology.default_queue == "kernel"
    assert topology.queues == {
        "kernel": QueueSpec("kernel", Exchange("kernel"), routing_key="kernel", dead_letter="kernel.quarantine")
    }
    celery = build_topology(Config(namespace="celery"))
    assert celery.queues["celery"].exchange == Exchange("celery")
    assert celery.queues["celery"].dead_letter == "celery.quarantine"


def test_default_queue_settings():
    topology = build_topology(
        Config(
            task_default_queue="work",
            task_default_exchange="tasks",
            task_default_exchange_type="topic",
            task_default_routing_key="task.default",
            task_queue_max_priority=9,
        )
    )
    spec = topology.queues["work"]
    assert spec.exchange == Exchange("tasks", "topic")
    assert (spec.key, spec.max_priority, spec.delivery_limit) == ("task.default", 9, None)


def test_entries_may_be_names_mappings_specs_and_objects():
    kombu_like = SimpleNamespace(
        name="d",
        exchange=SimpleNamespace(name="media", type="topic", durable=True),
        routing_key="media.#",
        durable=True,
        exclusive=False,
        auto_delete=True,
        queue_arguments={"x-max-priority": 10, "x-queue-type": "quorum", "x-message-ttl": 1500},
        max_priority=None,
        message_ttl=None,
        expires=60,
        bindings=set(),
    )
    topology = build_topology(
        Config(
            task_queues=(
                "a",
                {
                    "name": "b",
                    "exchange": "news",
                    "exchange_type": "fanout",
                    "bindings": [{"exchange": "a"}],
                    "ttl_s": 5,
                },
                QueueSpec("c", Exchange("c2"), max_priority=3, dead_letter="graveyard"),
                kombu_like,
            ),
            task_queue_max_priority=9,
        )
    )
    assert list(topology.queues) == ["a", "b", "c", "d"]
    a, b, c, d = topology.queues.values()
    assert (a.exchange.name, a.key) == ("kernel", "a")
    assert (b.exchange, b.bindings, b.ttl_s) == (Exchange("news", "fanout"), (Binding(Exchange("a")),), 5)
    assert (c.max_priority, c.dead_letter, c.key) == (3, "graveyard", "c")
    assert (d.exchange, d.key, d.max_priority) == (Exchange("media", "topic"), "media.#", 10)
    assert (d.arguments, d.ttl_s, d.expires_s) == ({"x-queue-type": "quorum"}, 1.5, 60)
    assert (d.auto_delete, c.auto_delete) == (True, False)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", "without a name"),
        ({}, "without a name"),
        (7, "no queue: 7"),
        ({"name": "a", "exchnage": "x"}, "unknown key 'exchnage'"),
        ({"name": "a", "exchange_type": "direkt"}, "unknown type 'direkt'"),
        ({"name": "a", "exchange": {"name": 5}}, "must be a str"),
        ({"name": "a", "max_priority": "high"}, "max_priority of queue 'a' must be a whole number"),
        ({"name": "a", "ttl_s": -1}, "ttl_s of queue 'a' must be seconds"),
        ({"name": "a", "durable": 1}, "durable of queue 'a' must be true or false"),
    ],
)
def test_entries_that_are_no_queue(entry, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        build_topology(Config(task_queues=(entry,)))


def test_no_name_twice():
    with pytest.raises(ImproperlyConfigured, match="two queues named 'a'"):
        build_topology(Config(task_queues=("a", {"name": "a"})))


def test_a_missing_queue_is_made_or_refused():
    topology = build_topology(Config(task_queues=("tasks",), task_queue_max_priority=5))
    assert queue_spec(topology, "other") == QueueSpec(
        "other", Exchange("other"), "other", max_priority=5, dead_letter="kernel.quarantine"
    )
    assert queue_spec(topology, "tasks") is topology.queues["tasks"]
    closed = build_topology(Config(task_queues=("tasks",), task_create_missing_queues=False))
    with pytest.raises(QueueNotFound, match="'taks' is not configured") as caught:
        queue_spec(closed, "taks")
    assert "'tasks'" in caught.value.cure


def test_the_quarantine_has_no_dead_letter_wherever_it_is_named():
    assert quarantine_spec(Config()) == QueueSpec("kernel.quarantine")
    assert queue_spec(build_topology(Config()), "kernel.quarantine").dead_letter is None
    named = build_topology(Config(task_queues=("kernel.quarantine",)))
    assert named.queues["kernel.quarantine"].dead_letter is None


def test_matching_queues():
    topology = build_topology(
        Config(
            task_queues=(
                QueueSpec("images", Exchange("media", "topic"), "media.image.#"),
                QueueSpec("all", Exchange("media", "topic"), "#", bindings=(Binding(Exchange("news", "fanout")),)),
                QueueSpec("exact", Exchange("direct"), "k"),
            )
        )
    )
    assert matching_queues(topology, "media", "media.image.png") == ("images", "all")
    assert matching_queues(topology, "media", "media.video") == ("all",)
    assert matching_queues(topology, "news", "anything") == ("all",)
    assert matching_queues(topology, "direct", "k") == ("exact",)
    assert matching_queues(topology, "direct", "exact") == ()
    assert matching_queues(topology, "", "anyone") == ("anyone",)
