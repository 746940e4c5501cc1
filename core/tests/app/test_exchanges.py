"""Exchanges on a broker that has none: the kernel finds the queues that the broker would have found."""

import uuid
from dataclasses import replace

import pytest

from kernel import Kernel, chain
from kernel.builtins.memory import broker as memory_broker
from kernel.contracts import Deadline
from kernel.testing.worker import start_worker

WAIT = 30
QUEUES = [
    {"name": "all", "exchange": "media", "exchange_type": "topic", "routing_key": "media.#"},
    {"name": "images", "exchange": "media", "exchange_type": "topic", "routing_key": "media.image.*"},
    {"name": "near", "exchange": "news", "exchange_type": "fanout"},
    {
        "name": "far",
        "exchange": "news",
        "exchange_type": "fanout",
        "bindings": [{"exchange": {"name": "media", "type": "topic"}, "routing_key": "*.far"}],
    },
    {"name": "exact", "exchange": "straight", "exchange_type": "direct", "routing_key": "k"},
]
ROUTES = {
    "route.topic": {"exchange": "media", "routing_key": "media.image.png"},
    "route.fanout": {"exchange": "news", "routing_key": "whatever"},
    "route.queue": {"queue": "images"},
}


@pytest.fixture(params=["exchanges", "none"])
def app(request, monkeypatch):
    """The same application on a broker with exchanges and on one without."""
    if request.param == "none":
        caps = replace(memory_broker.CAPS, exchanges=False)
        monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: caps)
    url = f"memory://{uuid.uuid4().hex}"
    made = Kernel("p", broker=url, backend=url, set_as_current=False, task_queues=QUEUES, task_routes=ROUTES,
                  task_default_queue="exact")  # fmt: skip
    yield made
    made.close()


def declare(app):
    services = app.client.services
    services.broker.declare(list(services.topology.queues.values()), Deadline.after(5))


def reached(app):
    """Queue → messages in it."""
    names = [queue["name"] for queue in QUEUES]
    depths = app.client.services.broker.depth(names, Deadline.after(5))
    return {name: depth.ready for name, depth in depths.items() if depth.ready}


@pytest.mark.parametrize(
    ("name", "options", "queues"),
    [
        ("t", {"exchange": "media", "routing_key": "media.image.png"}, {"all": 1, "images": 1}),
        ("t", {"exchange": "media", "routing_key": "media.video"}, {"all": 1}),
        ("t", {"exchange": "media", "routing_key": "media.far"}, {"all": 1, "far": 1}),
        ("t", {"exchange": "media", "routing_key": "other"}, {}),
        ("t", {"exchange": "news", "routing_key": "x"}, {"near": 1, "far": 1}),
        ("t", {"exchange": "straight", "routing_key": "k"}, {"exact": 1}),
        ("t", {"exchange": "straight", "routing_key": "exact"}, {}),
        ("t", {"queue": "images"}, {"all": 1, "images": 1}),  # by its own key, through its exchange
        ("t", {}, {"exact": 1}),
        ("route.topic", {}, {"all": 1, "images": 1}),
        ("route.fanout", {}, {"near": 1, "far": 1}),
        ("route.queue", {"routing_key": "media.image.gif"}, {"all": 1, "images": 1}),
        ("route.fanout", {"queue": "exact"}, {"exact": 1}),
    ],
)
def test_a_call_reaches_the_same_queues(app, name, options, queues):
    declare(app)
    app.send_task(name, **options)
    assert reached(app) == queues


def test_so_do_the_steps_and_callbacks_that_a_worker_sends(app):
    declare(app)
    first = app.task(name="first")(lambda: 1)
    topic = app.signature("step.topic").set(exchange="media", routing_key="media.image.png")
    fanout = app.signature("step.fanout").set(exchange="news", routing_key="x")
    with start_worker(app, queues=["exact"]):
        started = chain(first.s(), topic).apply_async(queue="exact")
        assert started.parent.get(timeout=WAIT) == 1
        assert first.apply_async(queue="exact", link=fanout).get(timeout=WAIT) == 1
    assert reached(app) == {"all": 1, "images": 1, "near": 1, "far": 1}
