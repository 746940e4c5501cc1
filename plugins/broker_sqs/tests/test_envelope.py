"""What stands in a queue: wire.md 8 in Celery's namespace, our own form elsewhere, and whatever else is found there."""

import base64
import json

import pytest

from kernel.contracts import Outgoing
from kernel.errors import Code, DriverError
from plugin_broker_sqs.envelope import UNREADABLE, decode, encode, encode_again

CELERY = {
    "body": base64.b64encode(b'[[1, 2], {}, {"callbacks": null}]').decode(),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    "headers": {"lang": "py", "task": "proj.add", "id": "7c1a", "eta": None, "retries": 0},
    "properties": {
        "correlation_id": "7c1a",
        "reply_to": "9b6e",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "celery"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": "d2f0",
    },
}
"""A task message as Celery 5.7 puts it into SQS (wire.md 7.2, 8), before base64."""


def as_celery_sends(envelope):
    return base64.b64encode(json.dumps(envelope).encode()).decode()


def test_a_message_of_celery_is_read():
    found = decode(as_celery_sends(CELERY), "celery", "sqs-id")
    assert found.id == "7c1a"
    assert found.body == b'[[1, 2], {}, {"callbacks": null}]'
    assert found.headers == CELERY["headers"]
    assert (found.content_type, found.content_encoding) == ("application/json", "utf-8")
    assert (found.correlation_id, found.reply_to) == ("7c1a", "9b6e")
    assert (found.queue, found.exchange, found.routing_key) == ("celery", "", "celery")


@pytest.mark.parametrize("encoding", ["base64", "utf-8", None])
def test_the_body_is_as_its_encoding_says(encoding):
    properties = {**CELERY["properties"], "body_encoding": encoding}
    if encoding is None:
        del properties["body_encoding"]
    body = base64.b64encode(b"[]").decode() if encoding == "base64" else "[]"
    found = decode(as_celery_sends({**CELERY, "body": body, "properties": properties}), "celery", "x")
    assert found.body == b"[]"


def test_plain_json_is_read_as_well():
    assert decode(json.dumps(CELERY), "celery", "x").id == "7c1a"


def test_ours_is_celerys_to_the_last_property():
    sent = decode(as_celery_sends(CELERY), "celery", "x")
    text = encode(sent, celery=True)
    assert base64.b64encode(base64.b64decode(text)).decode() == text, (
        "Celery looks whether it encodes again to the same"
    )
    written = json.loads(base64.b64decode(text))
    assert written["properties"].pop("delivery_tag") != CELERY["properties"]["delivery_tag"]
    wanted = json.loads(json.dumps(CELERY))
    del wanted["properties"]["delivery_tag"]
    assert written == wanted


def test_group_and_deduplication_id_are_properties_there():
    text = encode(Outgoing("q.fifo", b"x", {}, "i", group="g", dedup_id="d"), celery=True)
    properties = json.loads(base64.b64decode(text))["properties"]
    assert (properties["MessageGroupId"], properties["MessageDeduplicationId"]) == ("g", "d")
    assert decode(text, "q.fifo", "x").properties == {"MessageGroupId": "g"}


@pytest.mark.parametrize("celery", [True, False])
def test_a_deduplication_id_is_for_one_sending(celery):
    given = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    found = decode(encode(Outgoing("q.fifo", b"x", {}, "i", properties=given), celery=celery), "q.fifo", "x")
    assert found.properties == {"MessageGroupId": "g"}, "a retry with the same id would be dropped"


def test_our_own_form_carries_every_field():
    sent = Outgoing(
        "jobs",
        bytes(range(256)),
        {"b": b"\x00", "ü": [1, None, {"x": 1.5}], "\x00b": "escaped"},
        "i",
        content_type="application/x-test",
        delay_s=3.0,
        group="g",
        correlation_id="c",
        reply_to="r",
        persistent=False,
        properties={"custom": "1"},
    )
    text = encode(sent, celery=False)
    assert text.isascii()
    assert decode(text, "jobs", "x") == sent


@pytest.mark.parametrize(
    "text",
    ["hello", "{}", "[1, 2]", "k1.no base64!", "k1.e30=", base64.b64encode(b"\xff\xfe").decode(), "null",
     '{"properties": 1}', '{"properties": {}, "body": 5}', '{"properties": {"body_encoding": "base64"}, "body": "ä"}',
     "日本"],
)  # fmt: skip
def test_what_nobody_can_read_is_kept_as_it_is(text):
    found = decode(text, "jobs", "sqs-id")
    assert found.content_type == UNREADABLE
    assert found.headers == {}
    assert (found.id, found.queue, found.body.decode()) == ("sqs-id", "jobs", text)
    assert encode_again(found, celery=False, most=10) == text


def test_a_dead_letter_may_leave_out_the_second_base64():
    found = decode(json.dumps({**CELERY, "body": base64.b64encode(b"x" * 3000).decode()}), "celery", "x")
    assert encode_again(found, celery=True, most=100_000) != encode_again(found, celery=True, most=5000)
    assert decode(encode_again(found, celery=True, most=5000), "celery", "x").body == b"x" * 3000


@pytest.mark.parametrize("celery", [True, False])
def test_a_header_that_cannot_be_carried_is_refused(celery):
    with pytest.raises(DriverError) as caught:
        encode(Outgoing("q", b"", {"a": {1, 2}}, "i"), celery=celery)
    assert caught.value.code is Code.INVALID
