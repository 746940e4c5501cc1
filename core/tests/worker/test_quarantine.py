"""The quarantine: look, send again, delete; with brokers that can peek and purge, and with those that cannot."""

from dataclasses import replace

import pytest
from worker_fakes import QUARANTINE, QUEUE, until

from kernel.builtins.memory import broker as memory_broker
from kernel.contracts.backend import StoreMode
from kernel.contracts.broker import Outgoing
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model import states
from kernel.runtime.quarantine import Quarantine


@pytest.fixture(params=["able", "plain"])
def kept(request, site, monkeypatch):
    """Three messages in quarantine: an unknown task, an unreadable body, and one without headers."""
    monkeypatch.setattr("kernel.runtime.quarantine._PATIENCE_S", 0.05)
    if request.param == "plain":
        plain = replace(memory_broker.CAPS, peek=False, purge=False)
        monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: plain)
    site.task("add", lambda x, y: x + y)
    site.start()
    site.unknown = site.send("mul", (6, 7))
    site.unreadable = site.send("add", body=b"{nonsense")
    site.nameless = site.send_raw(Outgoing(queue=QUEUE, body=b"??", headers={}, id="nameless"))
    until(lambda: site.depth(QUARANTINE).ready == 3, what="three messages in quarantine")
    site.stop()
    site.hooks.calls.clear()
    site.quarantine = Quarantine(site.client)
    return site


def test_list_tells_what_is_there_and_leaves_it(kept):
    for _ in range(2):
        found = {one.id: one for one in kept.quarantine.list()}
        assert set(found) == {kept.unknown, kept.unreadable, "nameless"}
        assert found[kept.unknown].task == "mul"
        assert found[kept.unknown].queue == QUEUE
        assert "unknown task" in found[kept.unknown].reason
        assert found[kept.unreadable].queue == QUEUE
        assert "DecodeError" in found[kept.unreadable].reason
        assert found["nameless"].task is None
    assert len(kept.quarantine.list(limit=2)) == 2
    assert kept.depth(QUARANTINE).ready == 3


def test_show_tells_all_of_one(kept):
    shown = kept.quarantine.show(kept.unknown)
    assert (shown["task"], shown["args"], shown["kwargs"]) == ("mul", [6, 7], {})
    assert shown["headers"]["id"] == kept.unknown
    unreadable = kept.quarantine.show(kept.unreadable)
    assert "nonsense" in unreadable["body"]
    assert unreadable["undecodable"]
    assert kept.quarantine.show("never heard of") is None
    assert kept.depth(QUARANTINE).ready == 3


def test_replay_runs_a_task_that_is_known_now(kept):
    assert kept.record(kept.unknown).status == states.FAILURE
    kept.task("mul", lambda x, y: x * y)
    done = kept.quarantine.replay([kept.unknown, "never heard of"])
    assert (done.sent, done.missing, done.refused) == ([kept.unknown], ["never heard of"], {})
    assert kept.record(kept.unknown).status == states.PENDING
    kept.start()
    assert kept.result(kept.unknown).result == 42
    assert kept.depth(QUARANTINE).ready == 2


def test_replay_of_all_sends_all_where_they_came_from(kept):
    done = kept.quarantine.replay()
    assert len(done.sent) == 3
    assert kept.depth(QUARANTINE).ready == 0
    assert kept.depth(QUEUE).ready == 3
    for delivery in kept.broker.peek(QUEUE, 10, Deadline.after(5.0)) if kept.broker.capabilities().peek else ():
        assert not any(name.startswith("kernel-dead") for name in delivery.message.headers)


def test_replay_may_choose_the_queue(kept):
    kept.quarantine.replay([kept.unknown], queue="other")
    assert kept.depth("other").ready == 1


def test_a_success_is_not_reset(kept):
    client = kept.client
    record = replace(kept.record(kept.unknown), status=states.SUCCESS, result=b"1")
    client.backend.store([record], StoreMode.UPSERT, Deadline.after(5.0))
    kept.quarantine.replay([kept.unknown])
    assert kept.record(kept.unknown).status == states.SUCCESS


def test_what_the_broker_refuses_stays(kept, monkeypatch):
    def refuse(self, items, deadline):
        raise DriverError(Code.UNAVAILABLE, "not now")

    monkeypatch.setattr(memory_broker.MemoryBroker, "publish", refuse)
    done = kept.quarantine.replay([kept.unknown])
    assert done.sent == []
    assert "not now" in done.refused[kept.unknown]
    assert kept.depth(QUARANTINE).ready == 3


def test_purge_deletes_some_or_all(kept):
    assert kept.quarantine.purge([kept.unknown, "never heard of"]) == 1
    assert kept.depth(QUARANTINE).ready == 2
    assert kept.quarantine.purge() == 2
    assert kept.quarantine.list() == []


def test_an_empty_quarantine_needs_no_worker_before(site):
    assert Quarantine(site.client).list() == []
    assert Quarantine(site.client).purge() == 0
