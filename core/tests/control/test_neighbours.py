"""Mingling: nodes tell each other at the start what was revoked."""

import logging
import time

from control_fleet import NODE, Fleet

from kernel.runtime import mingle


def test_a_node_that_is_alone_begins_after_a_moment(fleet, caplog, monkeypatch):
    monkeypatch.setattr(mingle, "QUIET_S", 0.01)
    with caplog.at_level(logging.INFO, "kernel.worker"), fleet.worker(mingle=True):
        assert fleet.send("add").get(timeout=20) == 3
    assert "mingle: all alone" in caplog.messages


def test_nodes_share_what_was_revoked(fleet, caplog, monkeypatch):
    monkeypatch.setattr(mingle, "QUIET_S", 10.0)
    other = Fleet(fleet.app.conf.broker_url, fleet.app.conf.result_backend)
    with fleet.worker():
        fleet.tell("revoke", task_id=["one"])
        with (
            caplog.at_level(logging.INFO, "kernel.worker"),
            other.worker(mingle=True, hostname="w2@here", queues=["elsewhere"]),
        ):
            assert other.app.control.inspect("w2@here", timeout=10).revoked() == ["one"]
            assert fleet.app.control.inspect([NODE, "w2@here"], timeout=10).clock().keys() == {NODE, "w2@here"}
    assert "mingle: sync with 1 node" in caplog.messages
    other.close()


def test_the_newcomer_tells_too(fleet, tmp_path):
    file = str(tmp_path / "state.db")
    with fleet.worker(state_db=file):
        fleet.tell("revoke", task_id=["kept"])
    with fleet.worker():
        answer = fleet.inspect.hello("somebody@else", ["told"])
        assert answer["revoked"] == ["told"]
        assert answer["clock"] > 0
        assert fleet.inspect.revoked() == ["told"]
        with fleet.worker(state_db=file, mingle=True, hostname="w2@here", queues=["elsewhere"]):
            assert sorted(fleet.inspect.revoked()) == ["kept", "told"]


def test_no_mingling_where_nobody_may_listen(fleet):
    fleet.app.conf.worker_enable_remote_control = False
    began = time.monotonic()
    with fleet.worker(mingle=True):
        assert time.monotonic() - began < 20
