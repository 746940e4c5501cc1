"""Errors that cannot be shown or carried end their task as any other does: it is not run again and again."""

import json

import pytest

from kernel import Kernel
from kernel.contracts.broker import Outgoing
from kernel.contracts.deadline import Deadline
from kernel.exceptions import Reject
from kernel.testing import start_worker


class Unspeakable(Exception):
    """Its author was careless."""

    def __str__(self):
        raise RuntimeError("on purpose")

    __repr__ = __str__


ODD = [
    FileNotFoundError("caf\udce9.txt"),
    ValueError(10**5000, float("nan")),
    Unspeakable(1),
    Reject("caf\udce9.txt", requeue=False),
    Reject(Unspeakable(1), requeue=False),
]


@pytest.fixture
def app(tmp_path):
    url = f"sqlite:///{tmp_path}/k.db"
    with Kernel("p", broker=url, backend=url, set_as_current=False) as made:
        yield made


def test_a_task_that_raises_such_an_error_runs_once(app):
    ran = []

    @app.task(name="odd")
    def odd(number):
        ran.append(number)
        raise ODD[number]

    @app.task(name="last")
    def last():
        return "last"

    with start_worker(app, concurrency=1, heartbeat=False, mingle=False):
        results = [odd.delay(number) for number in range(len(ODD))]
        for result in results:
            result.get(timeout=20, propagate=False)
        assert last.apply_async(countdown=1.5).get(timeout=20) == "last"  # what is given back comes after a second
    assert {result.state for result in results} == {"FAILURE"}
    assert ran == list(range(len(ODD)))


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [(5, {}), ("application/json", {"compression": {"x": 1}}), (["application/json"], {})],
)
def test_a_message_whose_format_is_no_text_is_quarantined(app, content_type, headers):
    app.task(name="never")(lambda: None)

    @app.task(name="last")
    def last():
        return "last"

    with start_worker(app, concurrency=1, heartbeat=False, mingle=False):
        broker = app.client.services.open_control(Deadline.after(5))
        message = Outgoing(
            queue="kernel",
            body=json.dumps([[], {}, {}]).encode(),
            headers={"id": "odd", "task": "never", **headers},
            id="odd",
            content_type=content_type,
            content_encoding="utf-8",
        )
        assert last.delay().get(timeout=20) == "last"
        assert broker.publish([message], Deadline.after(5))[0].ok
        assert last.delay().get(timeout=20) == "last"
        assert broker.depth(["kernel.quarantine"], Deadline.after(5))["kernel.quarantine"].ready == 1
