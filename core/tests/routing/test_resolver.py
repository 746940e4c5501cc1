"""Destinations: who decides, and by which exchange and key a queue is reached."""

import pytest

from kernel.builtins.router.config_router import ConfigRouter
from kernel.engine.routing import RouteResolver
from kernel.engine.topology import build_topology
from kernel.errors import ImproperlyConfigured, KernelError, QueueNotFound
from kernel.model.config import Config
from kernel.model.topology import Exchange, QueueSpec, Route, TaskRef

TOPIC = QueueSpec("images", Exchange("media", "topic"), "media.image")


def resolver(**settings):
    config = Config(**settings)
    topology = build_topology(config)
    return RouteResolver([ConfigRouter(config.task_routes).compile(topology)], topology)


def go(found, name="proj.add", **options):
    return found.resolve(TaskRef(name, options=options), options)[:3]


def test_a_direct_queue_is_reached_by_its_name():
    found = resolver(task_routes={"proj.mail": "mail"})
    assert go(found) == ("kernel", "", "kernel")
    assert go(found, "proj.mail") == ("mail", "", "mail")
    assert go(found, queue="other") == ("other", "", "other")
    assert go(found, queue=QueueSpec("object")) == ("object", "", "object")


def test_a_queue_on_another_exchange_is_reached_through_it():
    found = resolver(task_queues=("kernel", TOPIC), task_routes={"proj.image": {"queue": "images"}})
    assert go(found, "proj.image") == ("images", "media", "media.image")
    assert go(found, "proj.image", routing_key="media.image.png") == ("images", "media", "media.image.png")
    assert go(found, queue="images") == ("images", "media", "media.image")
    assert go(found, queue="images", exchange="") == ("images", "", "images")


def test_the_call_wins_over_the_route():
    routes = {"proj.add": {"queue": "slow", "priority": 9, "countdown": 5}}
    found = resolver(task_routes=routes)
    assert go(found, queue="fast") == ("fast", "", "fast")
    assert go(found, exchange="ex", routing_key="key") == ("", "ex", "key")
    merged = found.resolve(TaskRef("proj.add"), {"priority": 1, "countdown": None, "task_id": "x"}).options
    assert merged == {"priority": 1, "countdown": 5, "task_id": "x"}


def test_exchange_and_key():
    found = resolver(task_queues=("kernel", TOPIC, "mail"), task_default_routing_key="task.default")
    assert go(found, exchange="media", routing_key="media.video") == ("", "media", "media.video")
    assert go(found, exchange=Exchange("media", "topic")) == ("", "media", "task.default")
    assert go(found, exchange="", routing_key="mail") == ("mail", "", "mail")
    assert go(found, queue="mail", exchange="ignored-without-key") == ("mail", "", "mail")
    assert go(found, queue="mail", exchange="used", routing_key="with-key") == ("mail", "used", "with-key")
    # A key alone goes to the queue that is bound with it to the default exchange.
    assert go(found, routing_key="mail") == ("mail", "", "mail")
    assert go(found, routing_key="task.default") == ("kernel", "", "kernel")
    assert go(found, routing_key="nobody") == ("kernel", "", "kernel")


def test_a_key_that_several_queues_share_goes_through_the_exchange():
    both = (QueueSpec("a", routing_key="k"), QueueSpec("b", routing_key="k"))
    assert go(resolver(task_queues=("kernel", *both)), routing_key="k") == ("", "kernel", "k")


def test_default_topic_exchange():
    found = resolver(
        task_default_queue="default",
        task_queues=(QueueSpec("default", routing_key="task.#"), QueueSpec("feeds", routing_key="feed.#")),
        task_default_exchange="tasks",
        task_default_exchange_type="topic",
        task_routes={"feeds.*": {"queue": "feeds", "routing_key": "feed.import"}},
    )
    assert go(found, "feeds.tasks.load") == ("feeds", "tasks", "feed.import")
    assert go(found) == ("default", "tasks", "task.#")
    assert go(found, routing_key="task.x") == ("default", "tasks", "task.x")


def test_a_closed_set_of_queues():
    found = resolver(task_queues=("a",), task_create_missing_queues=False)
    with pytest.raises(QueueNotFound, match="'kernel'"):
        go(found)
    with pytest.raises(QueueNotFound, match="'b'"):
        go(found, queue="b")
    assert go(found, queue="a") == ("a", "", "a")


@pytest.mark.parametrize("options", [{"queue": 7}, {"exchange": 7}, {"routing_key": 7}])
def test_wrong_types(options):
    with pytest.raises(ImproperlyConfigured, match="must be"):
        go(resolver(), **options)


def test_answers_are_kept_only_when_they_depend_on_the_name_alone():
    topology = build_topology(Config())
    seen = []

    def by_argument(ref):
        seen.append(ref.args)
        return Route(queue=f"shard{ref.args[0] % 2}")

    found = RouteResolver([by_argument], topology)
    assert [found.resolve(TaskRef("t", (n,)), {}).queue for n in (1, 2, 3)] == ["shard1", "shard0", "shard1"]

    def by_name(ref):
        seen.append(ref.name)
        return Route(queue="q")

    by_name.by_name = True
    seen.clear()
    found = RouteResolver([by_name], topology)
    for _ in range(3):
        assert found.resolve(TaskRef("t"), {}).queue == "q"
    assert seen == ["t"]


def test_names_without_end_do_not_fill_the_memory():
    found = resolver()
    for n in range(25_000):
        go(found, f"t{n}")
    assert len(found._kept) <= 10_000


def test_the_first_router_that_answers_decides():
    topology = build_topology(Config())
    silent, first, second = (lambda ref: None), (lambda ref: Route("one")), (lambda ref: Route("two"))
    assert RouteResolver([silent, first, second], topology).resolve(TaskRef("t"), {}).queue == "one"


def test_a_failing_router_is_named_with_the_task():
    def broken(ref):
        raise ZeroDivisionError("no")

    with pytest.raises(KernelError, match=r"broken failed for task 'proj\.add': ZeroDivisionError: no"):
        go(RouteResolver([broken], build_topology(Config())))
