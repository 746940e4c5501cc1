"""What a monitor makes of events, without any broker."""

import itertools
import threading
import time

import pytest

from kernel.events import Event, group_from
from kernel.events.state import State, Worker, heartbeat_expires

NOW = time.time()


class Stream:
    """Feeds a state with events as a receiver hands them over."""

    def __init__(self, **options):
        self.state = State(**options)
        self.clock = itertools.count(1)

    def __call__(self, kind, at=0.0, hostname="w1@box", **fields):
        event = Event(
            kind, timestamp=NOW + at, hostname=hostname, local_received=NOW + at, clock=next(self.clock), pid=7
        )
        return self.state.event({**event, **fields})


@pytest.fixture
def tell():
    return Stream()


def test_a_worker_comes_lives_and_goes(tell):
    joined, left = [], []
    tell.state.on_node_join, tell.state.on_node_leave = joined.append, left.append
    (worker, created), subject = tell("worker-online", freq=600.0, sw_ident="py-kernel", active=1)
    assert (created, subject, worker.hostname, worker.pid) == (True, "online", "w1@box", 7)
    assert worker.alive
    assert worker.status_string == "ONLINE"
    assert worker.heartbeat_expires == NOW + 1200.0
    assert list(tell.state.alive_workers()) == [worker]
    (again, created), _ = tell("worker-heartbeat", at=0.5, freq=600.0, active=3, processed=9)
    assert again is worker
    assert not created
    assert (worker.active, worker.processed, worker.heartbeats) == (3, 9, [NOW, NOW + 0.5])
    tell("worker-offline", at=1.0)
    assert not worker.alive
    assert worker.status_string == "OFFLINE"
    assert tell.state.workers == {}
    assert (joined, left) == ([worker], [worker])


def test_a_worker_that_falls_silent_stays_and_is_not_alive(tell):
    tell("worker-online", at=-1201.0, freq=600.0)
    assert not tell.state.workers["w1@box"].alive
    assert list(tell.state.alive_workers()) == []
    tell("worker-heartbeat", freq=600.0)
    assert tell.state.workers["w1@box"].alive


def test_few_heartbeats_are_kept_in_order():
    worker = Worker("w1")
    for at in (5.0, 3.0, 4.0, 9.0, 7.0):
        worker.event("heartbeat", at, at)
    assert worker.heartbeats == [4.0, 5.0, 7.0, 9.0]
    assert heartbeat_expires(9.0, 2.0) == 13.0
    assert heartbeat_expires(9.0, 2.0, expire_window=300) == 15.0


def test_a_task_from_call_to_success(tell):
    tell("task-sent", hostname="gen1@client", uuid="a", name="add", args="(1, 2)", queue="q", routing_key="q")
    task = tell.state.tasks["a"]
    assert (task.state, task.client, task.worker, task.origin) == ("PENDING", "gen1@client", None, "gen1@client")
    tell("task-received", at=1, uuid="a", name="add", args="(1, 2)", kwargs="{}", retries=0)
    tell("task-started", at=2, uuid="a")
    assert (task.state, task.ready) == ("STARTED", False)
    tell("task-succeeded", at=3, uuid="a", result="3", runtime=0.1)
    assert (task.state, task.ready, task.result, task.runtime) == ("SUCCESS", True, "3", 0.1)
    assert [task.sent, task.received, task.started, task.succeeded] == [NOW, NOW + 1, NOW + 2, NOW + 3]
    assert task.timestamp == NOW + 3
    assert task.worker is tell.state.workers["w1@box"]
    assert task.origin == "w1@box.7"
    assert task.info() == {
        "args": "(1, 2)",
        "kwargs": "{}",
        "retries": 0,
        "result": "3",
        "runtime": 0.1,
        "routing_key": "q",
    }
    assert task.info(["state"], extra=["uuid"]) == {"state": "SUCCESS", "uuid": "a"}
    assert tell.state.task_types() == ["add"]
    assert (tell.state.event_count, tell.state.task_count) == (4, 1)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("failed", "FAILURE"),
        ("revoked", "REVOKED"),
        ("rejected", "REJECTED"),
        ("retried", "RETRY"),
        ("progressed", "PROGRESSED"),
    ],
)
def test_the_other_states(tell, kind, state):
    if kind != "rejected":
        tell("task-received", uuid="a", name="add")
    tell(f"task-{kind}", uuid="a", exception="ValueError()")
    assert tell.state.tasks["a"].state == state
    assert tell.state.tasks["a"].exception == "ValueError()"


def test_late_events_change_no_state_and_add_what_was_not_known(tell):
    tell("task-succeeded", at=3, uuid="a", result="3")
    tell("task-received", at=1, uuid="a", name="add", args="(1, 2)", result="nonsense")
    tell("task-started", at=2, uuid="a")
    tell("task-sent", at=0, uuid="a", hostname="client", queue="q", routing_key="q")
    task = tell.state.tasks["a"]
    assert (task.state, task.timestamp, task.result) == ("SUCCESS", NOW + 3, "3")
    assert (task.name, task.args, task.received, task.started) == ("add", "(1, 2)", NOW + 1, NOW + 2)
    assert (task.client, task.routing_key, task.worker.hostname) == ("client", "q", "w1@box")


def test_a_retry_is_followed_by_a_new_run(tell):
    for kind, state in (
        ("received", "RECEIVED"),
        ("retried", "RETRY"),
        ("received", "RECEIVED"),
        ("failed", "FAILURE"),
    ):
        tell(f"task-{kind}", uuid="a", name="add")
        assert tell.state.tasks["a"].state == state


def test_indexes_follow_what_is_learned(tell):
    tell("task-started", uuid="a")
    assert tell.state.tasks_by_type["add"] == set()
    tell("task-received", uuid="a", name="add")
    tell("task-received", at=1, uuid="b", name="add", hostname="w2@box", parent_id="a", root_id="a")
    tell("task-received", at=2, uuid="c", name="mul", hostname="w2@box")
    state = tell.state
    assert [uuid for uuid, _ in state.tasks_by_type("add")] == ["b", "a"]
    assert [uuid for uuid, _ in state.tasks_by_worker("w2@box", reverse=False)] == ["b", "c"]
    assert state.tasks_by_worker["nobody"] == set()
    assert [uuid for uuid, _ in state.tasks_by_time(limit=2)] == ["c", "b"]
    assert [uuid for uuid, _ in state.tasks_by_timestamp(reverse=False)] == ["a", "b", "c"]
    assert [uuid for uuid, _ in state.itertasks(limit=1)] == ["a"]
    a, b = state.tasks["a"], state.tasks["b"]
    assert (b.parent, b.root, a.parent, a.children) == (a, a, None, {b})
    assert b.as_dict()["parent"] == "a"
    assert a.as_dict()["children"] == ["b"]


def test_memory_is_bounded_and_the_indexes_with_it():
    tell = Stream(max_tasks_in_memory=3, max_workers_in_memory=2)
    for number in range(6):
        tell("task-received", at=number, uuid=str(number), name=f"t{number}", hostname=f"w{number}", parent_id="p")
    assert list(tell.state.tasks) == ["3", "4", "5"]
    assert list(tell.state.workers) == ["w4", "w5"]
    assert set(tell.state.tasks_by_type) == {"t3", "t4", "t5"}
    assert set(tell.state.tasks_by_worker) == {"w3", "w4", "w5"}
    assert {task.uuid for task in tell.state.tasks_by_parent["p"]} == {"3", "4", "5"}


def test_clearing(tell):
    tell("worker-online")
    tell("task-succeeded", uuid="a")
    tell("task-received", uuid="b", name="add")
    tell.state.clear_tasks(ready=False)
    assert list(tell.state.tasks) == ["b"]
    assert tell.state.tasks_by_type("add") == [("b", tell.state.tasks["b"])]
    assert tell.state.workers
    tell.state.clear()
    assert (dict(tell.state.tasks), dict(tell.state.workers), tell.state.event_count) == ({}, {}, 0)
    assert tell.state.tasks_by_type == {}


def test_nothing_is_taken_in_while_it_is_frozen(tell):
    tell("task-received", uuid="a")
    thread = threading.Thread(target=tell, args=("task-started",), kwargs={"uuid": "a"})

    def look(word, *, more):
        thread.start()
        thread.join(0.05)
        return (word, more, tell.state.tasks["a"].state)

    assert tell.state.freeze_while(look, "x", more=1, clear_after=True) == ("x", 1, "RECEIVED")
    thread.join(30)
    assert list(tell.state.tasks) == ["a"]  # cleared, then taken in
    assert tell.state.tasks["a"].state == "STARTED"


def test_other_events_are_counted_and_shown_to_the_callback():
    seen = []
    tell = Stream(callback=lambda state, event: seen.append(event["type"]))
    assert tell("custom-thing") == (None, "thing")
    assert tell("task-started") == (None, "started")  # of no task
    assert tell.state.event({"type": "worker-online"}) == (None, "online")
    assert seen == ["custom-thing", "task-started", "worker-online"]
    assert tell.state.event_count == 3
    assert repr(tell.state) == "<State: events=3 tasks=0>"


def test_an_event_is_a_mapping():
    event = Event("task-sent", {"a": 1}, b=2)
    assert event.pop("timestamp") == pytest.approx(time.time(), abs=60)
    assert event == {"type": "task-sent", "a": 1, "b": 2}
    assert Event("x", timestamp=5)["timestamp"] == 5
    assert group_from("worker-online") == "worker"


@pytest.mark.parametrize(
    "odd",
    [{"hostname": ["x"]}, {"hostname": 5}, {"uuid": ["x"]}, {"uuid": 5}, {"name": ["x"]}, {"name": 5}, {"freq": "x"},
     {"freq": None}, {"timestamp": "x"}, {"local_received": []}, {"clock": 10**400}, {"clock": "x"},
     {"heartbeats": "x"}, {"event": 1}, {"update": 1}, {"info": 1}, {"worker": "x"}, {"parent_id": {}},
     {"cluster_state": 1}, {"timestamp": float("nan")}],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["worker-heartbeat", "worker-offline", "task-received", "task-started"])
def test_whatever_an_event_says_the_monitor_goes_on(tell, kind, odd):
    tell("worker-online", freq=600.0)
    tell("task-sent", uuid="a", name="add")
    tell(kind, **{"uuid": "b", "name": "add", **odd})
    tell("worker-heartbeat", freq=600.0)
    tell("task-succeeded", uuid="a", result="3")
    state = tell.state
    assert [worker.hostname for worker in state.alive_workers()] == ["w1@box"]
    assert "a" in dict(state.tasks_by_time())
    assert state.tasks["a"].state == "SUCCESS"
    assert {task.as_dict()["name"] for _, task in state.itertasks()} <= {"add", None}
    assert state.task_types() == ["add"]
    assert state.tasks["a"].worker.alive
