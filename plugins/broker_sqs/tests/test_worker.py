"""From a call to its result with `kernel worker`, a pool of processes and SQS between them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from kernel import Kernel
from kernel.contracts import Deadline
from kernel.engine.postpone import SendAgain, postponement
from kernel.testing import start_worker
from kernel_conformance.proxy import ChaosProxy, Trouble

APP = """
import os, time
from pathlib import Path
from kernel import Kernel

HERE = Path(__file__).parent
app = Kernel("proj", broker=os.environ["SQS_URL"], backend=f"sqlite:///{HERE / 'results.sqlite3'}")
app.conf.broker_transport_options = {"wait_time_s": 2, "lease_s": 4}


def note(text):
    with open(HERE / "log.txt", "a") as log:
        log.write(text + "\\n")


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=2)
def stubborn(self):
    note(f"try {self.request.retries}")
    if self.request.retries < 1:
        raise self.retry(countdown=6)
    return os.getpid()


@app.task(acks_late=True)
def slow(n, seconds):
    note(f"start {n}")
    time.sleep(seconds)
    note(f"end {n}")
    return n
"""


class Place:
    """A directory with an application, and its worker."""

    def __init__(self, path, url):
        self.path = path
        (path / "sqsapp.py").write_text(APP)
        self._environ = {**os.environ, "PYTHONPATH": str(path), "SQS_URL": url}
        self.workers = []

    def worker(self, *options):
        command = [sys.executable, "-m", "kernel", "-A", "sqsapp", "worker", "-l", "INFO", *options]
        with (self.path / "worker.log").open("ab") as log:
            started = subprocess.Popen(command, cwd=self.path, env=self._environ, stdout=log, stderr=log)
        self.workers.append(started)
        return started

    def notes(self):
        path = self.path / "log.txt"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def until(self, condition, seconds=60.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self.notes(), (self.path / "worker.log").read_text()[-3000:])
            time.sleep(0.05)

    def close(self):
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait(10)


@pytest.fixture
def place(moto, tmp_path, monkeypatch):
    made = Place(tmp_path, moto.url())
    monkeypatch.setenv("SQS_URL", moto.url())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("sqsapp", None)
    yield made
    made.close()
    module = sys.modules.pop("sqsapp", None)
    if module is not None:
        module.app.close()


def counts(site, queue):
    names = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    found = site.sdk.get_queue_attributes(QueueUrl=site.sdk_url(queue), AttributeNames=list(names))["Attributes"]
    return [int(found[name]) for name in names]


@pytest.fixture
def tasks(place, moto):
    import sqsapp

    broker = moto.broker()
    broker.delete(["kernel"], Deadline.after(15))  # what another test left
    return sqsapp


def test_tasks_retries_leases_and_a_warm_shutdown(place, tasks, moto):
    place.worker("-c", "2")
    results = [tasks.add.delay(n, n) for n in range(20)]
    assert [result.get(timeout=60) for result in results] == [2 * n for n in range(20)]

    retried = tasks.stubborn.delay()  # its retry waits longer than a lease
    long = tasks.slow.delay("long", 9)  # longer than two leases, kept by renewal
    later = tasks.add.apply_async((1, 2), countdown=3)
    assert later.get(timeout=60) == 3
    assert retried.get(timeout=60) != os.getpid()
    assert long.get(timeout=60) == "long"
    assert place.notes().count("start long") == 1
    assert [note for note in place.notes() if note.startswith("try")] == ["try 0", "try 1"]

    for number in range(6):
        tasks.slow.delay(number, 2)
    place.until(lambda: len([note for note in place.notes() if note.startswith("start") and note != "start long"]) >= 2)
    worker = place.workers[0]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    ready, hidden, delayed = counts(moto, "kernel")
    ended = len([note for note in place.notes() if note.startswith("end") and note != "end long"])
    assert (hidden, delayed) == (0, 0), "a warm shutdown leaves nothing hidden"
    assert ready == 6 - ended


def test_a_killed_worker_loses_nothing(place, tasks, moto):
    first = place.worker("-c", "1")
    result = tasks.slow.delay("a", 3)
    place.until(lambda: "start a" in place.notes())
    first.kill()
    first.wait(10)
    place.worker("-c", "1")
    assert result.get(timeout=60) == "a"
    place.until(lambda: counts(moto, "kernel") == [0, 0, 0])


def test_a_message_of_nobody_is_quarantined_by_the_worker(place, tasks, moto):
    place.worker("-c", "1")
    assert tasks.add.delay(1, 1).get(timeout=60) == 2
    moto.sdk.send_message(QueueUrl=moto.sdk_url("kernel"), MessageBody="no task")
    place.until(lambda: counts(moto, "kernel--quarantine")[0] >= 1)
    run = [sys.executable, "-m", "kernel", "-A", "sqsapp", "quarantine", "list", "--output", "json"]
    shown = json.loads(subprocess.run(run, cwd=place.path, capture_output=True, text=True, check=True).stdout)
    assert [one["queue"] for one in shown] == ["kernel"], shown


@pytest.mark.parametrize("namespace", ["kernel", "celery"])
def test_groups_of_a_fifo_queue_run_in_order_one_at_a_time(localstack, tmp_path, namespace):
    queue = f"ordered-{time.time_ns()}" + (".fifo" if namespace == "celery" else "")
    app = Kernel("proj", broker=localstack.url(), backend=f"sqlite:///{tmp_path}/r.sqlite3", namespace=namespace)
    app.conf.update(task_default_queue=queue, task_acks_late=True)
    app.conf.broker_transport_options = {"wait_time_s": 1, "fifo": namespace == "kernel"}
    seen = {}

    @app.task(bind=True, max_retries=1)
    def step(self, group, number):
        seen.setdefault(group, []).append(("start", number, self.request.retries))
        time.sleep(0.05)
        seen[group].append(("end", number, self.request.retries))
        if number == 3 and not self.request.retries:
            raise self.retry(countdown=0)

    with app, start_worker(app, concurrency=4):
        calls = [(f"g{n % 3}", n // 3) for n in range(12)]
        results = [step.apply_async(call, group=call[0]) for call in calls]
        for result in results:
            result.get(timeout=60)
    runs = [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1)]
    wanted = [(what, *run) for run in runs for what in ("start", "end")]
    assert seen == {f"g{n}": wanted for n in range(3)}


def test_a_countdown_beyond_what_sqs_delays_is_sent_again_in_turns(moto):
    caps = moto.broker().capabilities()
    turns = []
    left = 2000.0
    while left > 1:
        step = postponement(left, caps)
        assert isinstance(step, SendAgain)
        turns.append(step.seconds)
        left -= step.seconds
    assert turns == [900.0, 900.0, 200.0]


def test_a_message_waits_in_the_queue_no_longer_than_sqs_takes(moto):
    queue = f"far-{time.time_ns()}"
    with Kernel("proj", broker=moto.url(), set_as_current=False) as app:
        app.send_task("t", queue=queue, countdown=5000)
    assert counts(moto, queue) == [0, 0, 1]


def test_a_worker_resumes_when_its_endpoint_is_back(moto, tmp_path):
    queue = f"outage-{time.time_ns()}"
    with ChaosProxy(moto.server.address) as proxy:
        app = Kernel("proj", broker=moto.url(proxy.address), backend=f"sqlite:///{tmp_path}/r.sqlite3")
        app.conf.update(task_default_queue=queue)
        client = Kernel("client", broker=moto.url(), backend=f"sqlite:///{tmp_path}/r.sqlite3", set_as_current=False)
        client.conf.update(task_default_queue=queue)

        @app.task(name="double")
        def double(n):
            return 2 * n

        with app, client, start_worker(app, concurrency=2):
            assert client.send_task("double", (1,)).get(timeout=60) == 2
            proxy.trouble = Trouble(refuse=True)
            proxy.reset()
            results = [client.send_task("double", (n,)) for n in range(30)]
            time.sleep(4)  # the length of the outage
            assert not any(result.ready() for result in results[2:])
            proxy.heal()
            back = time.monotonic()
            assert results[-1].get(timeout=60) == 58
            assert [result.get(timeout=60) for result in results] == [2 * n for n in range(30)]
            took = time.monotonic() - back
    assert took < 5 + 10, f"the last task ended {took:.1f} s after the endpoint was back"
    assert counts(moto, queue) == [0, 0, 0]
