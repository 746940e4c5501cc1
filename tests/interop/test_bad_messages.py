"""The rows of wire.md 2, sent to our worker over RabbitMQ: good ones run, bad ones are set aside, none ends it."""

import json
from typing import Any

import pytest

from kernel_conformance.servers.rabbitmq import RabbitMQ

from .conftest import Notes, until
from .sides import QUEUES, Client, Side, Worker

QUARANTINE = "celery.quarantine"
JSON = {"content_type": "application/json", "content_encoding": "utf-8"}
PICKLE = {"content_type": "application/x-python-serialize", "content_encoding": "binary"}
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def send(client: Client, body: object, headers: dict[str, Any], properties: dict[str, Any] | None = None) -> None:
    """Publish to the kernel worker's queue; a body that is no text is written as JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    properties = {**JSON} if properties is None else properties
    client.ask("raw", queue=QUEUES["kernel"], body=text, headers=headers, properties=properties)


def call(path: Notes, value: object, embed: object = EMBED) -> list[Any]:
    return [[str(path), value], {}, embed]


@pytest.fixture
def sender(clients: dict[Side, Client], workers: dict[Side, Worker]) -> Client:
    assert clients["celery"].value(clients["celery"].send("shared.whoami", queue=QUEUES["kernel"])) == "kernel"
    return clients["celery"]


def quarantined(rabbit: RabbitMQ) -> int:
    rows = (
        line.split("\t")
        for line in rabbit.control("list_queues", "--no-table-headers", "name", "messages").splitlines()
    )
    return next((int(count) for name, count in rows if name == QUARANTINE), 0)


HEADERS = {"task": "shared.write", "id": "row"}
GOOD: dict[str, tuple[dict[str, Any], Any, dict[str, Any] | None]] = {
    "task and id only": (HEADERS, EMBED, None),
    "third part an empty mapping": (HEADERS, {}, None),
    "third part null": (HEADERS, None, None),
    "retries and timelimit null": ({**HEADERS, "retries": None, "timelimit": None}, EMBED, None),
    "no content encoding": (HEADERS, EMBED, {"content_type": "application/json"}),
    "headers nobody knows": ({**HEADERS, "x-own": {"a": [1]}, "stamps": None}, EMBED, None),
}


@pytest.mark.parametrize("row", GOOD)
def test_a_sparse_message_is_run(sender: Client, notes: Notes, row: str) -> None:
    headers, embed, properties = GOOD[row]
    send(sender, call(notes, row, embed), headers, properties)
    (line,) = notes.wait()
    assert line["side"] == "kernel"
    assert line["values"] == [row]


def test_protocol_1_and_the_hybrid_are_read(sender: Client, notes: Notes) -> None:
    whole = {"task": "shared.write", "id": "one", "args": [str(notes), "protocol 1"], "kwargs": {}, "utc": True}
    bare = {"task": "shared.write", "id": "two", "args": [str(notes), "without kwargs"]}
    send(sender, whole, {})
    send(sender, bare, {})
    send(sender, {"args": [str(notes), "hybrid"], "kwargs": {}}, HEADERS)
    assert sorted(line["values"][0] for line in notes.wait(3)) == ["hybrid", "protocol 1", "without kwargs"]


def test_a_protocol_1_client_is_served(sender: Client) -> None:
    """Celery itself writes the old protocol on request."""
    task_id = sender.ask("send_protocol_1", name="shared.add", args=[20, 22], queue=QUEUES["kernel"])
    assert sender.value(task_id) == 42


BAD: dict[str, tuple[dict[str, Any], Any, dict[str, Any] | None]] = {
    "two parts": (HEADERS, [[], {}], None),
    "four parts": (HEADERS, [[], {}, EMBED, 1], None),
    "no content type": (HEADERS, [[], {}, EMBED], {}),
    "no id": ({"task": "shared.write"}, [[], {}, EMBED], None),
    "no headers and a list": ({}, [[], {}, EMBED], None),
    "a number as id": ({"task": "shared.write", "id": 7}, [[], {}, EMBED], None),
    "a number as task": ({"task": 7, "id": "row"}, [[], {}, EMBED], None),
    "an unreadable eta": ({**HEADERS, "eta": "tomorrow"}, [[], {}, EMBED], None),
    "an unreadable expiry": ({**HEADERS, "expires": "soon"}, [[], {}, EMBED], None),
    "a type that is not accepted": (HEADERS, "cos\nsystem\n(S'true'\ntR.", PICKLE),
    "a type that nobody knows": (HEADERS, [[], {}, EMBED], {"content_type": "text/x-mystery"}),
    "plain text": (HEADERS, "hello", {"content_type": "text/plain", "content_encoding": "utf-8"}),
    "no JSON": (HEADERS, "{nonsense", None),
    "no UTF-8": (HEADERS, '[["\xff\xfe"], {}, null]', None),
    "nothing": (HEADERS, "", None),
    "a number": (HEADERS, 7, None),
    "too deep": (HEADERS, "[" * 5000 + "]" * 5000, None),
    "arguments that are no list": (HEADERS, ["no list", {}, EMBED], None),
    "keyword arguments that are no mapping": (HEADERS, [[], [1], EMBED], None),
    "links that are none": (HEADERS, [[], {}, {**EMBED, "callbacks": 7}], None),
    "limits that are no pair": ({**HEADERS, "timelimit": "long"}, [[], {}, EMBED], None),
    "retries that are no number": ({**HEADERS, "retries": "many"}, [[], {}, EMBED], None),
    "an unknown compression": ({**HEADERS, "compression": "application/x-wish"}, [[], {}, EMBED], None),
    "bytes that are not compressed": ({**HEADERS, "compression": "application/x-gzip"}, [[], {}, EMBED], None),
    "a task that is not registered": ({"task": "shared.nowhere", "id": "row"}, [[], {}, EMBED], None),
}  # fmt: skip


def test_a_bad_message_is_set_aside_and_the_worker_goes_on(
    sender: Client, workers: dict[Side, Worker], rabbit: RabbitMQ
) -> None:
    """All of them at once, so that asking the server costs little."""
    process, before = workers["kernel"].process.pid, quarantined(rabbit)

    for headers, body, properties in BAD.values():
        send(sender, body, headers, properties)

    assert sender.value(sender.send("shared.add", 1, 2, queue=QUEUES["kernel"])) == 3
    until(lambda: quarantined(rabbit) - before >= len(BAD), what="all of them in quarantine")
    assert quarantined(rabbit) - before == len(BAD)
    assert workers["kernel"].running
    assert workers["kernel"].process.pid == process


def test_an_expired_message_is_revoked_and_not_set_aside(sender: Client, notes: Notes, rabbit: RabbitMQ) -> None:
    before = quarantined(rabbit)
    send(sender, call(notes, "late"), {**HEADERS, "expires": "2020-01-01T00:00:00+00:00"})
    assert sender.value(sender.send("shared.whoami", queue=QUEUES["kernel"])) == "kernel"
    assert notes.lines() == []
    assert quarantined(rabbit) == before
