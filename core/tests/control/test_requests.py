"""Requests of remote control as values: reading, matching, names."""

import time

import pytest

from kernel.engine.control import LATE_S, check_selection, concerns, matches, over, read_request
from kernel.errors import DecodeError, ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.control import ControlNames, ControlRequest, ReplyTo
from kernel.runtime.clock import LogicalClock
from kernel.runtime.requester import control_names

SENT_BY_CELERY = {
    "method": "ping", "arguments": {}, "destination": None, "pattern": None, "matcher": None,
    "ticket": "t", "reply_to": {"exchange": "reply.celery.pidbox", "routing_key": "oid"},
}  # fmt: skip


def test_a_request_of_celery_is_read():
    request = read_request(SENT_BY_CELERY, {"clock": 7, "expires": 12.5})
    assert request == ControlRequest(
        "ping", {}, ticket="t", reply_to=ReplyTo("reply.celery.pidbox", "oid"), expires=12.5, clock=7
    )
    assert request.payload() == SENT_BY_CELERY
    assert request.headers() == {"clock": 7, "expires": 12.5}


def test_a_request_without_an_answer_names_no_ticket():
    assert "ticket" not in ControlRequest("shutdown").payload()
    assert ControlRequest("shutdown", destination=("a",)).payload()["destination"] == ["a"]


@pytest.mark.parametrize(
    "body",
    [None, 7, [], {}, {"method": 3}, {"method": ""}, {"method": "x", "arguments": [1]},
     {"method": "x", "destination": 7}, {"method": "x", "destination": [1]}, {"method": "x", "arguments": {1: 2}}],
)  # fmt: skip
def test_what_is_no_request_is_refused(body):
    with pytest.raises(DecodeError):
        read_request(body, {})


@pytest.mark.parametrize(
    "odd",
    [{"ticket": 3}, {"reply_to": "x"}, {"reply_to": {"exchange": 1}}, {"pattern": 5}, {"matcher": []},
     {"arguments": None}],
)  # fmt: skip
def test_odd_fields_are_none(odd):
    request = read_request({"method": "x", **odd}, {"clock": "soon", "expires": float("nan")})
    assert (request.ticket, request.reply_to, request.clock, request.expires) == (None, None, 0, 0.0)


@pytest.mark.parametrize(
    ("request_", "meant"),
    [
        (ControlRequest("x"), True),
        (ControlRequest("x", destination=("w1@a", "w2@a")), True),
        (ControlRequest("x", destination=("w2@a",)), False),
        (ControlRequest("x", destination=("w2@a",), pattern="*"), False),
        (ControlRequest("x", pattern="w*@a"), True),
        (ControlRequest("x", pattern="w[1-3]@?", matcher="glob"), True),
        (ControlRequest("x", pattern="v*", matcher="glob"), False),
        (ControlRequest("x", pattern=r"w\d@", matcher="pcre"), True),
        (ControlRequest("x", pattern=r"\d", matcher="pcre"), False),
        (ControlRequest("x", pattern="(", matcher="pcre"), False),
        (ControlRequest("x", pattern="a{99999999999999}", matcher="pcre"), False),
        (ControlRequest("x", pattern="*", matcher="soundex"), False),
        (ControlRequest("x", pattern="*" * 2000), False),
    ],
)
def test_whom_a_request_concerns(request_, meant):
    assert concerns(request_, "w1@a") is meant


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e300, True, [1]])
def test_a_number_that_nobody_can_have_meant_is_none(number):
    request = read_request({"method": "x"}, {"clock": number, "expires": number})
    assert (request.clock, request.expires) == (0, 0.0)


def test_a_clock_does_not_follow_one_that_no_counting_reached():
    clock = LogicalClock(7)
    assert clock.adjust(2**80) == 8
    assert clock.adjust(20) == 21


def test_a_name_is_text_and_no_list_of_letters():
    assert read_request({"method": "x", "destination": "w1@a"}, {}).destination == ("w1@a",)
    assert not matches("w1", None, "w1@a")


def test_selections_that_cannot_be_meant_are_refused():
    check_selection(["a"], None, None)
    for bad in (("a", None, None), ([1], None, None), (None, 3, None), (None, "x", "like"), (None, "(", "pcre")):
        with pytest.raises(ValueError):
            check_selection(*bad)


def test_only_what_is_long_over_is_over():
    now = time.time()
    assert not over(ControlRequest("x"), now)
    assert not over(ControlRequest("x", expires=now - 5), now)
    assert over(ControlRequest("x", expires=now - LATE_S - 1), now)


def test_names_on_the_wire_are_those_of_celery():
    names = ControlNames("celery")
    queue, reply = names.node_queue("celery@host"), names.reply_queue("oid")
    assert (queue.name, queue.bindings[0].exchange.name, queue.bindings[0].routing_key) == (
        "celery@host.celery.pidbox", "celery.pidbox", "",
    )  # fmt: skip
    assert (reply.name, reply.bindings[0].exchange.name, reply.bindings[0].routing_key) == (
        "oid.reply.celery.pidbox", "reply.celery.pidbox", "oid",
    )  # fmt: skip
    for each in (queue, reply):
        assert (each.durable, each.temporary, each.auto_delete, each.expires_s, each.ttl_s) == (
            False, True, True, 10.0, 300.0,
        )  # fmt: skip
        assert not each.bindings[0].exchange.durable


def test_settings_change_names_and_queues():
    names = control_names(Config(control_exchange="other", control_queue_exclusive=False, control_queue_durable=True))
    queue = names.node_queue("n")
    assert (queue.name, queue.durable, queue.temporary, queue.auto_delete) == ("n.other.pidbox", True, False, False)
    with pytest.raises(ImproperlyConfigured, match="control_queue_durable"):
        control_names(Config(control_queue_durable=True))
