"""The table of wire.md 2 against a node: no row may end it, and each row ends settled."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from worker_fakes import QUEUE, until

from kernel.contracts.broker import Outgoing
from kernel.errors import NotRegistered, TaskRevokedError
from kernel.model import states


@pytest.fixture(params=["early", "late"])
def table(request, site):
    """A running node whose task acknowledges early or late."""
    site.task("add", lambda x, y: x + y, acks_late=request.param == "late")
    site.start()
    return site


def alive(site):
    """Whether an ordinary task still runs, and nothing else is left over."""
    assert site.result(site.send(args=(20, 22))).result == 42
    until(site.settled, what="an empty queue")
    assert site.thread.is_alive()


def raw(site, body, headers, **fields):
    task_id = fields.pop("message_id", "raw")
    return site.send_raw(Outgoing(queue=QUEUE, body=body, headers=headers, id=task_id, **fields))


BODY = json.dumps([[2, 3], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()


@pytest.mark.parametrize(
    "body",
    [BODY, b"[[2,3],{},{}]", b"[[2,3],{},null]", b"[[2,3],null,null]"],
)
def test_task_and_id_are_the_only_headers_needed(table, body):
    raw(table, body, {"task": "add", "id": "m1"}, message_id="m1")
    assert table.result("m1").result == 5
    alive(table)


@pytest.mark.parametrize("headers", [{"retries": None, "timelimit": None}, {"expires": None, "eta": None}, {"meth": 1}])
def test_nulls_and_strangers_among_the_headers_are_fine(table, headers):
    assert table.result(table.send(**headers)).result == 5
    alive(table)


def test_protocol_1_is_read(table):
    raw(table, b'{"task": "add", "id": "p1", "args": [2, 3]}', {}, message_id="p1")
    raw(table, b'{"task": "add", "id": "p2", "args": [2], "kwargs": {"y": 5}, "retries": 0, "eta": null}', {})
    assert table.result("p1").result == 5
    assert table.result("p2").result == 7
    alive(table)


def test_the_hybrid_protocol_is_read(table):
    raw(table, b'{"args": [2, 3]}', {"task": "add", "id": "h1"})
    assert table.result("h1").result == 5
    alive(table)


def test_an_unknown_task_is_quarantined_and_its_failure_stored(table):
    task_id = table.send("nobody.knows")
    meta = table.result(task_id)
    assert meta.status == states.FAILURE
    assert isinstance(meta.result, NotRegistered)
    assert meta.result.args == ("nobody.knows",)
    (kept,) = until(table.quarantined)
    assert "unknown task 'nobody.knows'" in kept.dead_reason
    assert kept.message.body == b"[[2, 3], {}, {}]"
    alive(table)


def test_an_expired_task_is_revoked_and_acknowledged(table):
    task_id = table.send(expires=(datetime.now(UTC) - timedelta(seconds=5)).isoformat())
    meta = table.result(task_id)
    assert meta.status == states.REVOKED
    assert isinstance(meta.result, TaskRevokedError)
    assert meta.result.args == ("expired",)
    alive(table)
    assert table.quarantined() == []


HEADERS = {"task": "add", "id": "bad"}
BAD = {
    "unparsable eta": (BODY, {**HEADERS, "eta": "tomorrow"}, {}),
    "unparsable expires": (BODY, {**HEADERS, "expires": 17}, {}),
    "content type not accepted": (b"\x80\x04K\x01.", HEADERS, {"content_type": "application/x-python-serialize"}),
    "no content type": (BODY, HEADERS, {"content_type": ""}),
    "undecodable body": (b"{nonsense", HEADERS, {}),
    "no text at all": (b"\xff\xfe\x00", HEADERS, {}),
    "empty body": (b"", HEADERS, {}),
    "two elements": (b"[[2,3],{}]", HEADERS, {}),
    "four elements": (b"[[2,3],{},{},{}]", HEADERS, {}),
    "a number for a body": (b"7", HEADERS, {}),
    "args no list": (b'["ab",{},{}]', HEADERS, {}),
    "kwargs no mapping": (b"[[2,3],[1],{}]", HEADERS, {}),
    "embed no mapping": (b"[[2,3],{},[1]]", HEADERS, {}),
    "callbacks no list": (b'[[2,3],{},{"callbacks": 7}]', HEADERS, {}),
    "no id": (BODY, {"task": "add"}, {}),
    "an id that is no text": (BODY, {"task": "add", "id": 7}, {}),
    "a task that is no text": (BODY, {"task": ["add"], "id": "bad"}, {}),
    "no headers": (BODY, {}, {}),
    "no headers, undecodable body": (b"\x00\x01", {}, {}),
    "a mapping that is no task": (b'{"a": 1}', {}, {}),
    "protocol 1 without id": (b'{"task": "add", "args": []}', {}, {}),
    "a bad time limit": (BODY, {**HEADERS, "timelimit": [1, 2, 3]}, {}),
    "a bad count of retries": (BODY, {**HEADERS, "retries": "many"}, {}),
    "an unknown compression": (BODY, {**HEADERS, "compression": "application/x-nothing"}, {}),
    "a compression that is no text": (BODY, {**HEADERS, "compression": 7}, {}),
    "strange types everywhere": (BODY, {"task": [[1]], "id": {}, "eta": [], "stamps": 1, "group": {}}, {}),
}


@pytest.mark.parametrize("row", BAD)
def test_what_kills_other_workers_is_quarantined_with_a_reason(table, row):
    body, headers, fields = BAD[row]
    raw(table, body, headers, **fields)
    (kept,) = until(table.quarantined, what="a quarantined message")
    assert kept.message.body == body
    reason = kept.dead_reason or kept.message.headers["kernel-dead-reason"]
    assert len(reason) > 10
    alive(table)


ODD = {
    "stamps": {"stamps": 7},
    "shadow": {"shadow": ["x"]},
    "group": {"group": 7, "group_index": "first"},
    "parents": {"root_id": 7, "parent_id": [1]},
    "ignored": {"ignore_result": "perhaps"},
    "stamped": {"stamped_headers": 7},
    "nesting": {"replaced_task_nesting": "deep"},
    "origin": {"origin": {}},
}


@pytest.mark.parametrize("row", ODD)
def test_odd_headers_end_settled_too(table, row):
    """Whether such a task runs or is quarantined is a matter of taste; that the node lives on is not."""
    table.send(**ODD[row])
    alive(table)


@pytest.mark.parametrize("headers", [None, [1, 2], 7, "text"])
def test_headers_that_are_no_mapping_at_all(site, headers):
    weather = site.storm()
    site.task("add", lambda x, y: x + y)
    site.start()
    weather.tamper = lambda delivery: replace(delivery, message=replace(delivery.message, headers=headers))
    site.send()
    until(site.quarantined, what="a quarantined message")
    weather.tamper = None
    alive(site)
