"""The envelope: as Celery writes it (wire.md 7.2), readable whatever it is."""

import json

import pytest

from kernel.contracts import Outgoing
from kernel.errors import Code, DriverError
from plugin_broker_redis import envelope

HEADERS = {"lang": "py", "task": "proj.add", "id": "t-1", "retries": 0, "timelimit": [None, None], "stamps": {}}
PLAIN = Outgoing(
    "celery",
    b"[[1, 2], {}, {}]",
    HEADERS,
    "t-1",
    priority=0,
    correlation_id="t-1",
    reply_to="r-1",
    routing_key="celery",
)


def test_a_plain_call_is_written_as_celery_writes_it():
    found = json.loads(envelope.write(PLAIN, "celery", None))
    tag = found["properties"].pop("delivery_tag")
    assert len(tag) == 36
    assert found == {
        "body": "W1sxLCAyXSwge30sIHt9XQ==",
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": HEADERS,
        "properties": {
            "correlation_id": "t-1",
            "reply_to": "r-1",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
        },
    }
    assert list(found) == ["body", "content-encoding", "content-type", "headers", "properties"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"priority": None},
        {"priority": 3},
        {"persistent": False},
        {"ttl_s": 60.5},
        {"routing_key": ""},
        {"id": "another"},
        {"correlation_id": None, "reply_to": None},
        {"dedup_id": "d", "delay_s": 1.5},
        {"exchange": "ex", "routing_key": "a.b"},
        {"properties": {"MessageGroupId": "g"}},
        {"headers": {"größe": 2**60, "n": None, "": [True, 1, 1.0]}},
        {"body": bytes(range(256)), "content_type": "application/x-python-serialize", "content_encoding": "binary"},
    ],
)
def test_every_field_comes_back(fields):
    item = Outgoing(**{name: getattr(PLAIN, name) for name in PLAIN.__slots__} | fields)
    found = envelope.read(envelope.write(item, "celery", None).encode(), "celery")
    assert repr(found.message) == repr(item)
    assert (found.attempts, found.redelivered, found.dead) == (0, False, None)


def test_expiration_is_text_of_milliseconds():
    item = Outgoing("q", b"", {}, "i", ttl_s=60)
    assert json.loads(envelope.write(item, "q", 1.0))["properties"]["expiration"] == "60000"


def test_a_release_marks_and_counts_and_leaves_the_rest():
    big = {**HEADERS, "n": 2**62, "empty": [], "nothing": {}}
    first = envelope.parsed(envelope.write(Outgoing("q", b"b", big, "t-1"), "q", None).encode(), "q")
    again = envelope.given_back(first, counted=True)
    written = json.loads(again)
    assert written["headers"]["redelivered"] is True
    assert written["properties"]["delivery_info"]["redelivered"] is True
    found = envelope.read(again.encode(), "q")
    assert found.message.headers == big
    assert (found.attempts, found.redelivered) == (1, True)
    uncounted = envelope.read(envelope.given_back(envelope.parsed(again.encode(), "q"), counted=False).encode(), "q")
    assert (uncounted.attempts, uncounted.redelivered) == (1, True)


def test_what_celery_gave_back_was_delivered_before():
    text = json.loads(envelope.write(PLAIN, "celery", None))
    text["headers"]["redelivered"] = True
    text["properties"]["delivery_info"]["redelivered"] = True
    found = envelope.read(json.dumps(text).encode(), "celery")
    assert (found.attempts, found.redelivered) == (1, True)
    assert "redelivered" not in found.message.headers


def test_the_dead_say_why_and_begin_anew():
    first = envelope.parsed(envelope.write(PLAIN, "celery", 5.0).encode(), "celery")
    released = envelope.parsed(envelope.given_back(first, counted=True).encode(), "celery")
    found = envelope.read(envelope.buried(released, "wägen nichts", "celery", None).encode(), "dead")
    assert found.dead == ("wägen nichts", "celery")
    assert (found.attempts, found.redelivered, found.until) == (0, False, None)
    assert found.message.headers == HEADERS


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xff\x00", b"null", b"7", b"[]", b'"text"', b"{", b"{}", b'{"headers": null}', b'{"properties": 1}',
        b'{"body": {"a": 1}, "headers": [], "properties": {"delivery_info": 3, "priority": "high"}}',
        b'{"body": "%%%", "properties": {"body_encoding": "base64"}}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_anything_can_be_read(raw):
    found = envelope.read(raw, "q")
    assert found.message.queue == "q"
    assert isinstance(found.message.body, bytes)
    assert isinstance(found.message.headers, dict)
    assert envelope.read(envelope.given_back(envelope.parsed(raw, "q"), counted=True).encode(), "q").attempts == 1


def test_plain_bodies_are_read():
    assert (
        envelope.read(b'{"body": "[[1],{},{}]", "headers": {"id": "a"}, "properties": {}}', "q").message.body
        == b"[[1],{},{}]"
    )


@pytest.mark.parametrize("headers", [{"a": {1}}, {1: "a"}, {"a": {2: 3}}, {"a": [{None: 1}]}, {"a": object()}])
def test_headers_that_json_cannot_carry(headers):
    with pytest.raises(DriverError) as caught:
        envelope.write(Outgoing("q", b"", headers, "i"), "q", None)
    assert caught.value.code == Code.INVALID


def test_what_is_kept_is_an_array_celery_can_restore():
    text = envelope.write(PLAIN, 'a "queue"', None)
    assert json.loads(envelope.kept(text, 'a "queue"')) == [json.loads(text), "", 'a "queue"']
