"""From a decoded message to the request a body sees (features.md 1.21, wire.md 1, 2 and 4)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.engine.request import build_request, time_limits
from kernel.errors import InvalidTaskError
from kernel.model.message import Embed, read_body
from kernel.runtime.executor import Payload

HEADERS = {"task": "proj.add", "id": "t1"}


def payload(headers=HEADERS, **more):
    return Payload(headers, b"", "application/json", "utf-8", {"exchange": "", "routing_key": "q"}, **more)


def test_task_and_id_are_enough():
    request = build_request(read_body(HEADERS, [[1, 2], {}, {}]), payload(), "w1@host")
    assert (request.id, request.task, request.args, request.kwargs) == ("t1", "proj.add", (1, 2), {})
    assert (request.root_id, request.correlation_id, request.retries) == ("t1", "t1", 0)
    assert request.ignore_result is None
    assert request.called_directly is False
    assert request.hostname == "w1@host"


def test_every_header_is_seen():
    headers = {
        **HEADERS,
        "retries": 2,
        "eta": "2030-01-01T00:00:00+00:00",
        "expires": "2031-01-01T00:00:00+00:00",
        "timelimit": [9, 5],
        "group": "g",
        "group_index": 3,
        "root_id": "r",
        "parent_id": "p",
        "origin": "gen1@host",
        "shadow": "nice name",
        "ignore_result": True,
        "replaced_task_nesting": 1,
        "stamped_headers": ["s"],
        "stamps": {"s": 1},
        "mine": "own",
        "x-death": [{}],
    }
    embed = {"callbacks": [{"task": "c"}], "errbacks": {"task": "e"}, "chain": [], "chord": {"task": "b"}}
    body = read_body(headers, ([], {"a": 1}, embed))
    request = build_request(body, payload(headers, reply_to="me", correlation_id="c", attempt=2), "n")
    assert request.timelimit == (9, 5)
    assert (request.time_limit, request.soft_time_limit) == (9, 5)
    assert request.headers == {"mine": "own"}
    assert request.callbacks == [{"task": "c"}]
    assert request.errbacks == [{"task": "e"}]
    assert request.chain is None
    assert request.chord == {"task": "b"}
    assert (request.retries, request.group_index, request.attempt) == (2, 3, 2)
    assert request.ignore_result is True
    assert request.get("shadow") == "nice name"
    assert request.get("nothing", 5) == 5


def test_protocol_1_and_the_hybrid():
    old = {"task": "proj.add", "id": "t9", "args": [1], "retries": 1, "taskset": "g", "utc": True, "callbacks": None}
    request = build_request(read_body({}, old), payload({}), "n")
    assert (request.task, request.id, request.args, request.group, request.retries) == ("proj.add", "t9", (1,), "g", 1)
    hybrid = build_request(read_body(HEADERS, {"args": [5], "kwargs": {"k": 1}}), payload(), "n")
    assert (hybrid.args, hybrid.kwargs, hybrid.id) == ((5,), {"k": 1}, "t1")


@pytest.mark.parametrize(
    "body",
    [
        [[], {}],
        [[], {}, {}, {}],
        "text",
        5,
        None,
        [5, {}, {}],
        [[], [], {}],
        [[], {5: 1}, {}],
        [[], {}, []],
        [[], {}, "x"],
        [[], {}, {"callbacks": 5}],
        [[], {}, {"chord": 5}],
    ],
)
def test_bodies_that_are_none(body):
    if body == [[], {}, []]:  # an empty third part is read as none, as wire.md 2 shows
        assert read_body(HEADERS, body).embed == Embed()
        return
    with pytest.raises(InvalidTaskError):
        read_body(HEADERS, body)


@pytest.mark.parametrize("body", [{}, {"task": 5, "id": "x"}, {"task": "x"}])
def test_protocol_1_needs_task_and_id(body):
    with pytest.raises(InvalidTaskError):
        read_body({}, body)


@pytest.mark.parametrize("limit", [5, "x", [1], [1, 2, 3], [True, None], ["1", None], [0, None], [None, -1]])
def test_time_limits_that_are_none(limit):
    with pytest.raises(InvalidTaskError):
        time_limits(limit)


def test_time_limits():
    assert time_limits(None) == (None, None)
    assert time_limits([None, 2.5]) == (None, 2.5)


@pytest.mark.parametrize("headers", [{"task": "x"}, {"task": "x", "id": 5}, {"task": "x", "id": ""}])
def test_an_id_is_needed(headers):
    with pytest.raises(InvalidTaskError):
        build_request(read_body(headers, [[], {}, {}]), payload(headers), "n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_no_body_and_header_gives_another_error(value):
    for headers in (HEADERS, {}, {**HEADERS, "retries": value}, {**HEADERS, "timelimit": value}):
        with contextlib.suppress(InvalidTaskError):
            build_request(read_body(headers, value), payload(headers), "n")
        with contextlib.suppress(InvalidTaskError):
            build_request(read_body(headers, [value, value, value]), payload(headers), "n")
