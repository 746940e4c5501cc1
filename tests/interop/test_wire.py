"""The messages themselves: what the two clients write for the same call, field by field."""

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .sides import Client, Side
from .test_canvas import sig

QUEUE = "captured"
ETA = "2020-11-21T07:08:49.357378+00:00"
EXPIRES = (datetime.now(UTC) + timedelta(days=1)).isoformat()
CALLS: dict[str, dict[str, Any]] = {
    "plain": {"args": [1, "zwei", [3.5, None]], "kwargs": {"key": {"nested": True}}},
    "no arguments": {},
    "priority": {"args": [1], "priority": 7},
    "expires": {"args": [1], "expires": EXPIRES},
    "eta": {"args": [1], "eta": ETA},
    "limits": {"args": [1], "time_limit": 60, "soft_time_limit": 50},
    "ignored": {"args": [1], "ignore_result": True},
    "shadow and headers": {"args": [1], "shadow": "other", "headers": {"tenant": "acme", "deep": {"list": [1, None]}}},
    "links": {
        "args": [1],
        "link": [sig("shared.add", 2, queue="of-celery"), sig("shared.add", 3, queue="of-kernel", immutable=True)],
        "link_error": [sig("shared.failed", "path", queue="of-celery")],
    },
    "ids": {
        "args": [1],
        "task_id": "mine",
        "root_id": "root",
        "parent_id": "parent",
        "group_id": "g",
        "group_index": 2,
    },
    "compressed": {"args": ["compress me " * 100], "compression": "zlib"},
    "long repr": {"args": ["x" * 3000, list(range(500))]},
    "transient": {"args": [1], "delivery_mode": "transient"},
}
UNIQUE = {"origin", "id", "root_id"}
"""Headers whose value differs from call to call; they are compared by form."""


REPRS = {"argsrepr", "kwargsrepr"}
MOST_REPR = 1024


def alike(ours: str, theirs: str) -> bool:
    """Whether two reprs say the same; where one is cut, each library closes it in its own way."""
    if len(theirs) < MOST_REPR:
        return ours == theirs
    return ours[:900] == theirs[:900] and len(ours) <= MOST_REPR and "..." in ours[-20:]


def capture(clients: dict[Side, Client], side: Side, call: dict[str, Any]) -> dict[str, Any]:
    """What a client of one side puts into a queue for a call."""
    options = {key: value for key, value in call.items() if key not in {"args", "kwargs"}}
    clients[side].send("shared.echo", *call.get("args", []), kwargs=call.get("kwargs"), queue=QUEUE, **options)
    taken: dict[str, Any] | None = clients["celery"].ask("take", queue=QUEUE)
    assert taken is not None, f"the message of the {side} client is not in the queue"
    body = taken["body"].encode("latin-1")
    if taken["headers"].get("compression"):
        body = zlib.decompress(body)
    return {**taken, "body": json.loads(body)}


@pytest.fixture(scope="module")
def _queue(clients: dict[Side, Client]) -> None:
    clients["celery"].ask("declare", queue=QUEUE)
    while clients["celery"].ask("take", queue=QUEUE) is not None:
        pass


@pytest.mark.usefixtures("_queue")
@pytest.mark.parametrize("name", CALLS)
def test_both_write_the_same_message(clients: dict[Side, Client], name: str) -> None:
    theirs, ours = (capture(clients, side, CALLS[name]) for side in ("celery", "kernel"))

    assert ours["body"] == theirs["body"]
    assert list(ours["headers"]) == list(theirs["headers"]), "names or order of the headers"
    for header in REPRS:
        assert alike(ours["headers"][header], theirs["headers"][header]), header
    for header in theirs["headers"].keys() - UNIQUE - REPRS:
        assert ours["headers"][header] == theirs["headers"][header], header
    for field in ("content_type", "content_encoding", "exchange", "routing_key"):
        assert ours[field] == theirs[field], field
    same = {key: value for key, value in theirs["properties"].items() if key in ("priority", "delivery_mode")}
    assert {key: ours["properties"].get(key) for key in same} == same
    assert set(ours["properties"]) == set(theirs["properties"])


@pytest.mark.usefixtures("_queue")
def test_identifiers_have_the_same_form(clients: dict[Side, Client]) -> None:
    for side in ("celery", "kernel"):
        found = capture(clients, side, {})
        headers, properties = found["headers"], found["properties"]
        assert headers["root_id"] == headers["id"] == properties["correlation_id"]
        assert [len(part) for part in headers["id"].split("-")] == [8, 4, 4, 4, 12]
        assert headers["origin"].startswith("gen")
        assert "@" in headers["origin"]
        assert [len(part) for part in properties["reply_to"].split("-")] == [8, 4, 4, 4, 12]


@pytest.mark.usefixtures("_queue")
def test_the_expiration_is_text_of_milliseconds(clients: dict[Side, Client]) -> None:
    """Up to a minute apart is the time between the two calls, and no more is asked."""
    waits = [
        int(capture(clients, side, {"expires": EXPIRES})["properties"]["expiration"]) for side in ("celery", "kernel")
    ]
    assert abs(waits[0] - waits[1]) < 60_000
