"""A setting that a plugin cannot honour is refused, by name."""

import pytest

from kernel import Kernel
from kernel.app.worker import Worker
from kernel.contracts.capabilities import BrokerCaps, Limits, PoolCaps
from kernel.engine.requirements import (
    Requirement,
    broker_requirements,
    call_requirements,
    check,
    check_broker,
    check_control,
    check_pool,
    check_reach,
)
from kernel.errors import PluginError
from kernel.model.config import Config
from kernel.model.options import TaskOptions
from kernel.model.topology import Binding, Exchange, QueueSpec, Topology

ALL = BrokerCaps(
    priority=True, fanout=True, exchanges=True, ttl=True, lease=True, dlq=True, fifo_group=True, dedup=True
)


def topology(*queues: QueueSpec) -> Topology:
    return Topology("tasks", {queue.name: queue for queue in (QueueSpec("tasks"), *queues)})


def refusal(function, *args) -> PluginError:
    with pytest.raises(PluginError) as caught:
        function(*args)
    assert caught.value.code == "E107"
    assert caught.value.cure
    return caught.value


BROKER = [
    (Config(task_queue_max_priority=10), (), "priority", "task_queue_max_priority = 10"),
    (Config(task_default_priority=0), (), "priority", "task_default_priority = 0"),
    (Config(task_inherit_parent_priority=True), (), "priority", "task_inherit_parent_priority"),
    (Config(result_backend="rpc://"), (), "fanout", "result_backend = 'rpc://'"),
    (Config(), (QueueSpec("hi", max_priority=9),), "priority", "queue 'hi' with max_priority = 9"),
    (Config(), (QueueSpec("t", temporary=True),), "fanout", "temporary queue 't'"),
    (Config(), (QueueSpec("t", ttl_s=0.0),), "ttl", "queue 't' with ttl_s = 0.0"),
    (Config(), (QueueSpec("t", lease_s=60),), "lease", "queue 't' with lease_s = 60"),
    (Config(), (QueueSpec("t", delivery_limit=3),), "dlq", "delivery_limit = 3"),
    (Config(), (QueueSpec("t", Exchange("x", "headers")),), "exchanges", "queue 't' on a headers exchange"),
    (Config(), (QueueSpec("t", bindings=(Binding(Exchange("x", "headers")),)),), "exchanges", "headers exchange"),
    (Config(task_routes={"a.*": {"queue": "q", "priority": 0}}), (), "priority", "route of 'a.*'"),
    (Config(task_routes=[("b", {"group": "g"})]), (), "fifo_group", "group = 'g'"),
    (Config(task_routes=("b", {"dedup_id": "d"})), (), "dedup", "dedup_id = 'd'"),
    (Config(task_routes=["dotted.name", {"c": {"priority": 1}}]), (), "priority", "route of 'c'"),
    (Config(task_routes=[print, {"c": {"priority": 1}}]), (), "priority", "route of 'c'"),
    (Config(task_routes=[print, "dotted.name", {"c": {"priority": 1}}]), (), "priority", "route of 'c'"),
    (Config(task_routes=([("c", {"priority": 1}), ("d", {"queue": "q"})],)), (), "priority", "route of 'c'"),
]


@pytest.mark.parametrize(("config", "queues", "capability", "said"), BROKER)
def test_a_broker_without_it_is_refused_and_one_with_it_is_not(config, queues, capability, said):
    without = {name: name != capability for name in ALL.claimed()}
    error = refusal(check_broker, "broker.zoo", BrokerCaps(**without), config, topology(*queues))
    assert said in str(error)
    assert f"capability {capability!r}" in str(error)
    assert "'broker.zoo'" in str(error)
    assert error.plugin == "broker.zoo"
    check_broker("broker.zoo", ALL, config, topology(*queues))


@pytest.mark.parametrize(
    ("config", "said", "cure"),
    [
        (Config(worker_send_task_events=True), "worker_send_task_events = True (-E)", "name one in control_url"),
        (Config(task_send_sent_event=True), "task_send_sent_event = True", "name one in control_url"),
        (Config(control_url="zoo://"), "control_url", "leave it out"),
    ],
)
def test_events_need_a_broker_with_fanout_beside_the_other_or_the_same(config, said, cure):
    error = refusal(check_control, "broker.zoo", BrokerCaps(), config)
    assert said in str(error)
    assert cure in error.cure
    check_control("broker.zoo", BrokerCaps(fanout=True), config)
    check_broker("broker.main", BrokerCaps(), config, topology())


@pytest.mark.parametrize(("option", "capability"), [("priority", "priority"), ("group", "fifo_group")])
def test_options_that_a_task_declares(option, capability):
    (need,) = call_requirements({"a": {}, "b": {option: 7}, "c": {"priority": 0}})
    assert (need.capability, need.because) == (capability, f"task 'b' with {option} = 7")


def test_the_defaults_need_nothing():
    check_broker("broker.zoo", BrokerCaps(), Config(), topology())
    check_control("broker.zoo", BrokerCaps(), Config())
    check_pool("pool.zoo", PoolCaps(), Config(), [TaskOptions("t")])


def test_exchanges_that_the_kernel_resolves_need_nothing():
    queues = [QueueSpec(kind, Exchange("x", kind)) for kind in ("direct", "topic", "fanout")]
    assert list(broker_requirements(Config(), topology(*queues))) == []


@pytest.mark.parametrize(
    ("limits", "queue", "said"),
    [
        (Limits(name_pattern="[a-z]+"), QueueSpec("two words"), "queue 'two words'"),
        (Limits(max_priority=9), QueueSpec("q", max_priority=10), "max_priority = 10"),
        (Limits(min_lease_s=1), QueueSpec("q", lease_s=0.5), "lease_s = 0.5"),
        (Limits(max_lease_s=43200), QueueSpec("q", lease_s=43201), "lease_s = 43201"),
    ],
)
def test_bounds(limits, queue, said):
    caps = BrokerCaps(priority=True, lease=True, limits=limits)
    assert said in str(refusal(check_broker, "broker.zoo", caps, Config(), topology(queue)))
    inside = QueueSpec("q", max_priority=9, lease_s=1)
    check_broker("broker.zoo", caps, Config(), topology(inside))


@pytest.mark.parametrize(
    ("config", "tasks", "capability", "said"),
    [
        (Config(task_time_limit=5), [], "hard_limit", "task_time_limit = 5"),
        (Config(task_soft_time_limit=5), [], "soft_limit", "task_soft_time_limit = 5"),
        (Config(worker_max_tasks_per_child=1), [], "recycle", "worker_max_tasks_per_child = 1"),
        (Config(worker_max_memory_per_child=9), [], "recycle", "worker_max_memory_per_child = 9"),
        (
            Config(),
            [TaskOptions("a"), TaskOptions("b", time_limit=2.5)],
            "hard_limit",
            "task 'b' with time_limit = 2.5",
        ),
        (Config(), [TaskOptions("b", soft_time_limit=1)], "soft_limit", "task 'b' with soft_time_limit = 1"),
    ],
)
def test_pools(config, tasks, capability, said):
    every = {"hard_limit", "soft_limit", "recycle"}
    without = PoolCaps(**dict.fromkeys(every - {capability}, True))
    error = refusal(check_pool, "pool.zoo", without, config, tasks)
    assert said in str(error)
    assert error.cure.startswith("Use a pool that has it, or ")
    check_pool("pool.zoo", PoolCaps(**dict.fromkeys(every, True)), config, tasks)


def test_a_need_without_an_alternative():
    error = refusal(
        check, "backend.zoo", frozenset({"counter"}), [Requirement("counter", "x"), Requirement("join", "a chord")]
    )
    assert error.one_line() == (
        "E107: a chord needs capability 'join', which plugin 'backend.zoo' does not have. Use a backend that has it."
    )


def test_a_store_of_one_process_and_a_pool_of_several() -> None:
    here, shared = Limits(in_process=True), Limits()
    inside, outside = PoolCaps(), PoolCaps(isolates=True)
    check_reach("broker.memory", here, "pool.threads", inside)
    check_reach("broker.sqlite", shared, "pool.prefork", outside)
    error = refusal(check_reach, "broker.memory", here, "pool.prefork", outside)
    assert "'broker.memory'" in str(error)
    assert "'pool.prefork'" in str(error)


@pytest.mark.parametrize(("broker", "backend"), [("memory://m", None), ("sqlite:///k.sqlite3", "memory://m")])
def test_a_worker_refuses_what_its_children_could_not_see(tmp_path, monkeypatch, broker, backend) -> None:
    monkeypatch.chdir(tmp_path)
    app = Kernel("reach", broker=broker, backend=backend, set_as_current=False)
    with pytest.raises(PluginError, match="keeps everything in one process"):
        Worker(app, pool="prefork").start(signals=False)
    app.close()
