"""A real Celery and kernel on the same SQS queues read each other's messages (wire.md 8, 17)."""

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from kernel import Kernel
from kernel.testing import start_worker
from kernel_conformance import provision
from kernel_conformance.servers.moto import MotoServer

REQUIREMENTS = Path(__file__).parents[2] / "requirements/interop.txt"
SECRET = "not-a-real-secret-key"
CELERY = """
import json, os, sys
from celery import Celery

app = Celery("proj", broker=os.environ["SQS_URL"], set_as_current=True)
app.conf.update(
    broker_transport_options={"region": "us-east-1", "wait_time_seconds": 1},
    task_ignore_result=True, worker_enable_remote_control=False,
)


@app.task(name="proj.note", bind=True, max_retries=2)
def note(self, *args, retry=0, **kwargs):
    if self.request.retries < retry:
        raise self.retry(countdown=0)
    line = {"args": args, "kwargs": kwargs, "id": self.request.id, "retries": self.request.retries,
            "headers": self.request.headers}
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(line) + "\\n")


if __name__ == "__main__":
    for line in sys.stdin:
        given = json.loads(line)
        result = app.send_task("proj.note", given.pop("args"), given.pop("kwargs"), **given)
        print(json.dumps(result.id), flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MotoServer]:
    made = MotoServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def url(server: MotoServer) -> str:
    host, port = server.address
    return f"sqs://key:{SECRET}@{host}:{port}"


@pytest.fixture
def theirs(url: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Celery's Python in a folder with the application."""
    (tmp_path / "celeryapp.py").write_text(CELERY)
    python = provision.venv("interop", REQUIREMENTS) / "python"
    environ = {**os.environ, "SQS_URL": url, "NOTES": str(tmp_path / "notes"), "PYTHONPATH": str(tmp_path)}
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        with (tmp_path / "celery.log").open("a") as log:
            process = subprocess.Popen(
                [str(python), *words], cwd=tmp_path, env=environ, text=True, stderr=log, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@pytest.fixture
def ours(url: str) -> Iterator[Kernel]:
    options = {"region": "us-east-1", "wait_time_s": 1}
    app = Kernel("proj", broker=url, namespace="celery", set_as_current=False)
    app.conf.broker_transport_options = options
    yield app
    app.close()


def ask(client: subprocess.Popen[str], *args: Any, options: dict[str, Any] | None = None, **kwargs: Any) -> str:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(json.dumps({"args": args, "kwargs": kwargs, **(options or {})}) + "\n")
    client.stdin.flush()
    answer: str = json.loads(client.stdout.readline())
    return answer


def until(condition: Callable[[], object], log: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()[-3000:] if log.exists() else "nothing was logged"
        time.sleep(0.05)


def sdk(server: MotoServer) -> Any:
    host, port = server.address
    return boto3.session.Session().client(
        "sqs", region_name="us-east-1", endpoint_url=f"http://{host}:{port}", aws_access_key_id="key",
        aws_secret_access_key=SECRET,
    )  # fmt: skip


def test_a_kernel_worker_runs_what_celery_sends(
    theirs: Callable[..., subprocess.Popen[str]], ours: Kernel, tmp_path: Path
) -> None:
    seen: list[tuple[Any, ...]] = []
    done = threading.Event()

    @ours.task(name="proj.note", bind=True, max_retries=2)
    def note(self: Any, *args: Any, retry: int = 0, **kwargs: Any) -> None:
        if self.request.retries < retry:
            raise self.retry(countdown=0)
        seen.append((self.request.id, args, kwargs, self.request.retries, time.time()))
        if len(seen) == 3:
            done.set()

    client = theirs("celeryapp.py")
    with start_worker(ours, concurrency=2):
        plain = ask(client, 1, "zwölf", None, key={"nested": [1.5]})
        retried = ask(client, "again", retry=1)
        started = time.time()
        delayed = ask(client, "later", options={"countdown": 3})
        assert done.wait(60), (seen, (tmp_path / "celery.log").read_text()[-2000:])
    found = {one[0]: one[1:] for one in seen}
    assert found[plain][:3] == ((1, "zwölf", None), {"key": {"nested": [1.5]}}, 0)
    assert found[retried][:3] == (("again",), {}, 1)
    assert found[delayed][3] - started >= 2.9


def test_a_celery_worker_runs_what_kernel_sends(
    theirs: Callable[..., subprocess.Popen[str]], ours: Kernel, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    theirs(
        "-m", "celery", "-A", "celeryapp", "worker", "-P", "solo", "-l", "INFO", "--without-gossip", "--without-mingle"
    )
    sent = [
        ours.send_task("proj.note", (1, "zwölf", None), {"key": {"nested": [1.5]}}).id,
        ours.send_task("proj.note", ("again",), {"retry": 1}).id,
        ours.send_task("proj.note", ("later",), countdown=3, headers={"mine": "yes"}).id,
    ]
    until(lambda: notes.exists() and len(notes.read_text().splitlines()) == 3, tmp_path / "celery.log")
    found = {one["id"]: one for one in map(json.loads, notes.read_text().splitlines())}
    assert set(found) == set(sent)
    plain, retried, delayed = (found[one] for one in sent)
    assert (plain["args"], plain["kwargs"]) == ([1, "zwölf", None], {"key": {"nested": [1.5]}})
    assert (retried["args"], retried["retries"]) == (["again"], 1)
    assert delayed["headers"]["mine"] == "yes"


def test_both_write_the_same_envelope(
    theirs: Callable[..., subprocess.Popen[str]], ours: Kernel, server: MotoServer
) -> None:
    client = theirs("celeryapp.py")
    bodies = {}
    for queue, publish in (
        ("by.celery", lambda: ask(client, 1, options={"queue": "by.celery"})),
        ("by.kernel", lambda: ours.send_task("proj.note", (1,), queue="by.kernel")),
    ):
        publish()
        address = sdk(server).get_queue_url(QueueName=queue.replace(".", "-"))["QueueUrl"]
        [received] = sdk(server).receive_message(QueueUrl=address, WaitTimeSeconds=5)["Messages"]
        envelope = json.loads(base64.b64decode(received["Body"]))
        assert json.loads(base64.b64decode(envelope["body"]))[0] == [1], "the body decodes twice"
        bodies[queue] = envelope
    by_celery, by_kernel = bodies.values()
    assert set(by_kernel) == set(by_celery)
    assert set(by_kernel["properties"]) == set(by_celery["properties"])
    assert set(by_kernel["headers"]) == set(by_celery["headers"])
