"""Remote control of a worker over the embedded stores: questions, revoking, limits, mistakes."""

import json
import time
from uuid import uuid4

import pytest
from control_fleet import NODE, until

from kernel import Kernel
from kernel.contracts.broker import Outgoing
from kernel.contracts.deadline import Deadline
from kernel.engine.autoscale import Bounds
from kernel.errors import ChordError, PluginError, TaskRevokedError
from kernel.worker.control import COMMANDS, control_command, inspect_command


@pytest.fixture
def own_commands():
    before = dict(COMMANDS)
    yield
    COMMANDS.clear()
    COMMANDS.update(before)


def test_ping_and_nobody(fleet):
    assert fleet.app.control.ping(timeout=0.2) == []
    assert fleet.app.control.inspect(timeout=0.2).ping() is None
    with fleet.worker():
        assert fleet.app.control.ping(destination=[NODE], timeout=10) == [{NODE: {"ok": "pong"}}]
        assert fleet.inspect.ping() == {"ok": "pong"}
        assert fleet.app.control.inspect([NODE], timeout=10).clock()[NODE]["clock"] > 0
        assert fleet.app.control.inspect(["other@here"], timeout=0.2).ping() is None
        assert fleet.app.control.inspect(pattern="w*", timeout=10, limit=1).ping() == {NODE: {"ok": "pong"}}
        assert fleet.app.control.inspect(pattern="v*", timeout=0.2).ping() is None


def test_a_callback_hears_each_answer_as_it_comes(fleet):
    heard = []
    with fleet.worker():
        fleet.app.control.ping(limit=1, timeout=10, callback=heard.append)
    assert heard == [{NODE: {"ok": "pong"}}]


def test_what_a_worker_has(fleet):
    with fleet.worker():
        running = fleet.send("hold")
        assert fleet.begun.wait(20)
        (info,) = fleet.inspect.active()
        assert (info["id"], info["name"], info["args"], info["hostname"]) == (running.id, "hold", [], NODE)
        assert abs(info["time_start"] - time.time()) < 60
        assert info["acknowledged"] is True
        assert info["delivery_info"]["routing_key"] == "kernel"
        assert fleet.inspect.active(safe=True)[0]["args"] == "()"
        assert fleet.inspect.query_task(running.id, "nobody") == {running.id: ["active", info]}
        fleet.release.set()
        assert running.get(timeout=20) == "held"
        until(lambda: fleet.inspect.active() == [])
        until(lambda: fleet.inspect.stats()["total"] == {"hold": 1})
        stats = fleet.inspect.stats()
        assert stats["pool"]["max-concurrency"] == 1
        assert [queue["name"] for queue in fleet.inspect.active_queues()] == ["kernel"]
        assert fleet.inspect.registered() == ["add", "hold"]
        assert fleet.inspect.registered("name") == ["add [name=add]", "hold [name=hold]"]
        assert fleet.inspect.conf()["broker_url"]
        assert "kernel" in fleet.inspect.report()["ok"]
        assert fleet.inspect.memsample().endswith("MB")


def test_held_messages_are_scheduled_and_discarded_when_revoked(fleet, monkeypatch):
    monkeypatch.setattr("kernel.engine.postpone.HOLD_S", 100.0)
    with fleet.worker():
        fleet.tell("rate_limit", task_name="add", rate_limit="1/m")
        first, later = fleet.send("add", 1, 1), fleet.send("add", 5, 6)
        assert first.get(timeout=20) == 2
        (held,) = until(fleet.inspect.scheduled)
        assert held["request"]["id"] == later.id
        assert held["request"]["args"] == [5, 6]
        assert fleet.inspect.query_task(later.id)[later.id][0] == "scheduled"
        later.revoke()
        until(lambda: fleet.inspect.scheduled() == [])
        with pytest.raises(TaskRevokedError, match="revoked"):
            later.get(timeout=20)
    assert fleet.ran == [(1, 1)]


def test_a_revoked_task_is_marked_at_once_and_never_runs(fleet):
    with fleet.worker():
        running = fleet.send("hold")
        assert fleet.begun.wait(20)
        waiting = fleet.send("add")
        waiting.revoke()
        until(lambda: waiting.state == "REVOKED", what="REVOKED")
        assert fleet.inspect.revoked() == [waiting.id]
        assert running.state == "PENDING"
        fleet.release.set()
        assert running.get(timeout=20) == "held"
        assert fleet.send("add", 2, 2).get(timeout=20) == 4
        assert waiting.state == "REVOKED"
    assert fleet.ran == [(2, 2)]


def test_a_running_task_is_not_marked(fleet):
    with fleet.worker():
        running = fleet.send("hold")
        assert fleet.begun.wait(20)
        assert fleet.tell("revoke", task_id=running.id) == {"ok": f"tasks {running.id} flagged as revoked"}
        assert running.state == "PENDING"
        fleet.release.set()
        assert running.get(timeout=20) == "held"


def test_a_result_that_is_there_stays(fleet):
    with fleet.worker():
        done = fleet.send("add")
        assert done.get(timeout=20) == 3
        fleet.tell("revoke", task_id=done.id)
        fleet.tell("ping")
        assert fleet.app.AsyncResult(done.id).state == "SUCCESS"


def test_revoking_by_stamps(fleet):
    with fleet.worker():
        fleet.send("hold")
        assert fleet.begun.wait(20)
        signature = fleet.app.tasks["add"].si(9, 9)
        signature.stamp(owner="me")
        mine = signature.apply_async()
        yours = fleet.send("add", 1, 1)
        assert "flagged" in mine.revoke_by_stamped_headers({"owner": ["me"]}, wait=True, timeout=5)[0][NODE]["ok"]
        fleet.release.set()
        with pytest.raises(TaskRevokedError):
            mine.get(timeout=20)
        assert yours.get(timeout=20) == 2
    assert (9, 9) not in fleet.ran


def test_a_group_is_revoked_as_a_whole(fleet):
    from kernel import group

    with fleet.worker():
        fleet.send("hold")
        assert fleet.begun.wait(20)
        result = group(fleet.app.tasks["add"].si(n, n) for n in range(5))()
        result.revoke()
        until(lambda: all(each.state == "REVOKED" for each in result.results))
        fleet.release.set()
        assert fleet.send("add", 7, 7).get(timeout=20) == 14
    assert fleet.ran == [(7, 7)]


def test_a_chord_is_told_of_a_revoked_member(fleet):
    from kernel import chord

    fleet.app.task(sum, name="total")
    with fleet.worker():
        fleet.send("hold")
        assert fleet.begun.wait(20)
        add = fleet.app.tasks["add"]
        result = chord([add.si(1, 1), add.si(2, 2)], fleet.app.tasks["total"].s())()
        fleet.tell("revoke", task_id=result.parent.results[1].id)
        until(lambda: result.parent.results[1].state == "REVOKED")
        fleet.release.set()
        with pytest.raises(ChordError, match="revoked"):
            result.get(timeout=20)


def test_a_pool_that_cannot_terminate_says_so(fleet):
    with fleet.worker():
        running = fleet.send("hold")
        assert fleet.begun.wait(20)
        assert "cannot end a running task" in fleet.tell("terminate", task_id=running.id, signal="KILL")["error"]
        assert fleet.tell("terminate", task_id="nobody", signal="KILL") == {"ok": "terminate: tasks unknown"}
        fleet.release.set()


def test_limits_change_while_it_runs(fleet):
    with fleet.worker():
        assert fleet.tell("rate_limit", task_name="add", rate_limit="2/s") == {"ok": "new rate limit set successfully"}
        began = time.monotonic()
        for result in [fleet.send("add") for _ in range(3)]:
            assert result.get(timeout=30) == 3
        assert time.monotonic() - began > 0.8
        assert fleet.tell("rate_limit", task_name="add", rate_limit=0) == {"ok": "rate limit disabled successfully"}
        assert fleet.tell("rate_limit", task_name="no", rate_limit="1/s") == {"error": "unknown task"}
        assert fleet.tell("rate_limit", task_name="add", rate_limit="x")["error"].startswith(
            "Invalid rate limit string"
        )
        assert fleet.tell("time_limit", task_name="add", soft=5) == {"ok": "time limits set successfully"}
        assert "cannot keep" in fleet.tell("time_limit", task_name="add", hard=5)["error"]
        assert "soft must be" in fleet.tell("time_limit", task_name="add", soft="x")["error"]
        assert fleet.send("add").get(timeout=20) == 3


def test_the_pool_changes_its_size(fleet):
    with fleet.worker():
        assert fleet.tell("pool_grow", n=2) == {"ok": "pool will grow"}
        assert fleet.inspect.stats()["pool"]["max-concurrency"] == 3
        for result in [fleet.send("add") for _ in range(5)]:
            assert result.get(timeout=20) == 3
        assert fleet.tell("pool_shrink", n=2) == {"ok": "pool will shrink"}
        assert fleet.tell("pool_shrink", n=1)["error"] == "the pool keeps at least one executor"
        assert "n must be" in fleet.tell("pool_shrink", n="x")["error"]
        until(lambda: fleet.inspect.stats()["pool"]["threads"] == 1)
        assert fleet.send("add").get(timeout=20) == 3


def test_shutdown_finishes_what_runs(fleet):
    with fleet.worker() as running:
        held = fleet.send("hold")
        assert fleet.begun.wait(20)
        assert fleet.tell("shutdown") == {"ok": "shutting down"}
        fleet.release.set()
        until(lambda: not running._thread.is_alive(), what="the end")
    assert held.get(timeout=20) == "held"


def test_mistakes_are_answered(fleet):
    with fleet.worker():
        assert fleet.tell("nosuch") == {"error": "KeyError('nosuch')"}
        assert "missing" in fleet.tell("rate_limit")["error"]
        assert "Task ids must be" in fleet.tell("revoke", task_id=[3])["error"]
        assert "There is no signal" in fleet.tell("revoke", task_id="x", terminate=True, signal="UPS")["error"]
        assert "Stamps must be" in fleet.tell("revoke_by_stamped_headers", headers=3)["error"]
        assert fleet.inspect.ping() == {"ok": "pong"}


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"method": 1}', b"x" * 300_000])
def test_no_message_breaks_it(fleet, body):
    with fleet.worker():
        broker = fleet.app.client.services.open_control(Deadline.after(5))
        message = Outgoing(queue="", body=body, headers={}, id=str(uuid4()), exchange="kernel.pidbox")
        assert broker.publish([message], Deadline.after(5))[0].ok
        assert fleet.inspect.ping() == {"ok": "pong"}


def test_a_defect_costs_one_message_and_no_duty_keeps_it_from_listening(fleet, monkeypatch, caplog):
    def broken(*_args):
        raise ZeroDivisionError("on purpose")

    with fleet.worker():
        monkeypatch.setattr("kernel.runtime.control.concerns", broken)
        monkeypatch.setattr("kernel.runtime.duties.Duties.do", broken)
        fleet.app.control.broadcast("ping")
        until(lambda: "a message is dropped" in caplog.text, what="the message to be dropped")
        monkeypatch.setattr("kernel.runtime.control.concerns", lambda *_: True)
        assert fleet.inspect.ping() == {"ok": "pong"}
        assert "is tried again" in caplog.text


def test_half_a_character_is_no_id(fleet, tmp_path):
    with fleet.worker(state_db=str(tmp_path / "state")):
        broker = fleet.app.client.services.open_control(Deadline.after(5))
        for method, arguments in (
            ("hello", {"from_node": "other@there", "revoked": ["\udcff", "neighbours"]}),
            ("revoke", {"task_id": ["\udcff", "refused"]}),
            ("revoke", {"task_id": "ours"}),
        ):
            body = json.dumps({"method": method, "arguments": arguments}).encode()
            message = Outgoing(
                queue="", body=body, headers={}, id=str(uuid4()), exchange="kernel.pidbox",
                content_type="application/json", content_encoding="utf-8",
            )  # fmt: skip
            assert broker.publish([message], Deadline.after(5))[0].ok
        until(lambda: "ours" in fleet.inspect.revoked(), what="the last to be revoked")
        assert fleet.inspect.revoked() == ["neighbours", "ours"]
    with fleet.worker(state_db=str(tmp_path / "state")):
        assert fleet.inspect.revoked() == ["neighbours", "ours"]


def test_commands_of_ones_own(fleet, own_commands):
    slow = __import__("threading").Event()

    @control_command(args=[("n", int)], signature="[N=1]")
    def more(state, n=1):
        """Have more."""
        return {"ok": [state.hostname, n, sorted(state.app.tasks)[:1], state.consumer.pool.name]}

    @inspect_command(name="whole", alias="all_of_it")
    def odd(state):
        return {"numbers": [1, 2.5, None]}

    @control_command
    def waits(state):
        slow.wait(20)

    @control_command
    def fails(state):
        raise RuntimeError("on purpose")

    @control_command
    def leaves(state):
        raise SystemExit(3)

    @control_command
    def unspeakable(state):
        return object()

    assert (COMMANDS["more"].help, COMMANDS["more"].signature) == ("Have more.", "[N=1]")
    with pytest.raises(TypeError, match="unexpected option 'arg'"):
        control_command(arg=[])
    with fleet.worker():
        assert fleet.tell("more", n=3) == {"ok": [NODE, 3, ["add"], "threads"]}
        assert fleet.tell("all_of_it") == fleet.tell("whole") == {"numbers": [1, 2.5, None]}
        assert fleet.tell("fails") == {"error": "RuntimeError('on purpose')"}
        assert fleet.tell("leaves") == {"error": "SystemExit(3)"}
        assert "cannot be sent" in fleet.tell("unspeakable")["error"]
        assert fleet.tell("more", k=3)["error"].startswith("TypeError")
        fleet.app.control.broadcast("waits")
        assert fleet.inspect.ping() == {"ok": "pong"}
        assert fleet.send("add").get(timeout=20) == 3
        slow.set()
        assert fleet.tell("more")["ok"][1] == 1


def test_a_command_may_change_how_much_is_held(fleet, own_commands):
    @control_command(args=[("n", int)], signature="[N=1]")
    def increase_prefetch_count(state, n=1):
        state.consumer.qos.increment_eventually(n)

    @inspect_command
    def current_prefetch_count(state):
        return {"prefetch_count": state.consumer.qos.value}

    with fleet.worker():
        assert fleet.tell("current_prefetch_count") == {"prefetch_count": 1}
        fleet.send("hold")
        assert fleet.begun.wait(20)
        waiting = [fleet.send("add", n, n) for n in range(4)]
        fleet.tell("increase_prefetch_count", n=2)
        assert fleet.tell("current_prefetch_count") == {"prefetch_count": 3}
        until(lambda: len(fleet.inspect.reserved()) == 2, what="two in reserve")
        waiting[0].revoke()
        until(lambda: waiting[0].id not in {each["id"] for each in fleet.inspect.reserved()}, what="one of them to go")
        fleet.release.set()
        assert [each.get(timeout=20) for each in waiting[1:]] == [2, 4, 6]
        assert waiting[0].state == "REVOKED"
    assert (0, 0) not in fleet.ran


def test_thousands_of_revokes(fleet):
    ids = [str(uuid4()) for _ in range(5000)]
    with fleet.worker():
        began = time.monotonic()
        fleet.app.control.revoke(ids)
        until(lambda: len(fleet.inspect.revoked()) == 5000, 60)
        assert fleet.send("add").get(timeout=60) == 3
        until(lambda: fleet.app.AsyncResult(ids[-1]).state == "REVOKED", 60)
        assert time.monotonic() - began < 60


def test_revoked_ids_outlive_a_worker(fleet, tmp_path):
    file = str(tmp_path / "state.db")
    with fleet.worker(state_db=file):
        fleet.tell("revoke", task_id=["one", "two"])
    with fleet.worker(state_db=file):
        assert sorted(fleet.inspect.revoked()) == ["one", "two"]
        sent = fleet.send("add", task_id="two")
        with pytest.raises(TaskRevokedError):
            sent.get(timeout=20)
    assert fleet.ran == []


def test_the_file_of_a_worker_may_carry_its_name(fleet, tmp_path):
    with fleet.worker(state_db=str(tmp_path / "%n.state")):
        fleet.tell("revoke", task_id=["x"])
    assert (tmp_path / "w1.state").exists()


def test_a_pool_that_follows_its_load_is_not_grown_by_hand(fleet):
    with fleet.worker(autoscale=Bounds(1, 2)):
        assert "--autoscale" in fleet.tell("pool_grow", n=1)["error"]
        assert fleet.tell("autoscale", max=3) == {"ok": "autoscale now max=3 min=1"}


def test_control_comes_back_after_it_lost_its_queue(fleet):
    with fleet.worker():
        assert fleet.inspect.ping() == {"ok": "pong"}
        broker = fleet.app.client.services.open_control(Deadline.after(5))
        broker.delete([f"{NODE}.kernel.pidbox"], Deadline.after(5))
        until(lambda: fleet.app.control.inspect(NODE, timeout=0.5).ping() == {"ok": "pong"}, 30)


def test_a_worker_that_is_not_to_be_controlled(fleet):
    fleet.app.conf.worker_enable_remote_control = False
    with fleet.worker():
        assert fleet.app.control.ping(timeout=0.3) == []
        assert fleet.send("add").get(timeout=20) == 3


def test_misuse_is_refused(fleet):
    control = fleet.app.control
    for bad in ({"destination": "w1"}, {"pattern": 3}, {"pattern": "x", "matcher": "like"}):
        with pytest.raises(ValueError):
            control.broadcast("ping", **bad)
    with pytest.raises(TypeError, match="unexpected option"):
        control.revoke("x", replay=True)


def test_purge(fleet):
    for _ in range(3):
        fleet.send("add")
    assert fleet.app.control.purge() == 3
    assert fleet.app.control.discard_all() == 0


def test_a_broker_without_fan_out_is_refused_with_advice(monkeypatch):
    from dataclasses import replace

    from kernel.builtins.memory import broker as memory

    monkeypatch.setattr(memory, "CAPS", replace(memory.CAPS, fanout=False))
    with Kernel("p", broker="memory://plain", set_as_current=False) as app, pytest.raises(PluginError) as caught:
        app.control.ping()
    assert caught.value.code == "E107"
    assert "control_url" in caught.value.cure


def test_a_request_lies_on_the_wire_as_documented(fleet):
    from kernel.model.topology import Binding, Exchange, QueueSpec

    with fleet.app:
        broker = fleet.app.client.services.open_control(Deadline.after(5))
        exchange = Exchange("kernel.pidbox", "fanout", durable=False)
        broker.declare([QueueSpec("ear", bindings=(Binding(exchange),))], Deadline.after(5))
        fleet.app.control.revoke("one", destination=["a@b"])
        (heard,) = broker.consumer(["ear"], 0).receive(5, 5)
        assert json.loads(heard.message.body) == {
            "method": "revoke",
            "arguments": {"task_id": "one", "terminate": False, "signal": "SIGTERM"},
            "destination": ["a@b"],
            "pattern": None,
            "matcher": None,
        }
        assert heard.message.headers["expires"] == 0
        assert isinstance(heard.message.headers["clock"], int)
