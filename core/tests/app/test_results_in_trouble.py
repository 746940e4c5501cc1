"""A result store that is down, slow, silent or restarted: every wait ends in time, with the value or a typed error."""

import threading
import time

import pytest

from kernel import states
from kernel.contracts import Deadline
from kernel.errors import BackendGetMetaError, BackendStoreError, Code, DriverError, OperationalError
from kernel.errors import TimeoutError as KernelTimeoutError
from kernel.model.context import Request
from kernel.runtime.opening import Opening

from .conftest import MiniWorker

SLACK_S = 4.0
"""A contract's second, and what a busy machine adds."""
WAIT = 20


class Weather:
    """Stands before a backend: ``fine``, ``down`` (refuses), ``slow``, or ``silent`` (a peer that says nothing)."""

    def __init__(self, backend, monkeypatch):
        self.now = "fine"
        self.calls = 0
        for name in ("fetch", "wait", "store", "forget"):
            monkeypatch.setattr(backend, name, self._through(getattr(backend, name)))

    def _through(self, verb):
        def call(*args):
            self.calls += 1
            deadline = args[-1]
            if self.now == "down":
                raise DriverError(Code.UNAVAILABLE, "connection refused")
            if self.now == "silent":
                while self.now == "silent" and not deadline.passed:
                    time.sleep(0.01)
                raise DriverError(Code.TIMEOUT, "no answer")
            if self.now == "slow":
                time.sleep(min(0.1, deadline.left()))
            return verb(*args)

        return call


@pytest.fixture
def weather(app, monkeypatch):
    return Weather(app.client.services.backend, monkeypatch)


def store(app, task_id, value):
    app.client.results.store_state(Request(id=task_id, task="t", called_directly=False), states.SUCCESS, value)


def took(call, *errors):
    """The error of a call, and its seconds."""
    began = time.monotonic()
    with pytest.raises(errors) as caught:
        call()
    return caught.value, time.monotonic() - began


@pytest.mark.parametrize("trouble", ["down", "silent"])
def test_waiting_ends_with_its_timeout(app, weather, trouble):
    store(app, "a", 1)
    weather.now = trouble
    error, seconds = took(lambda: app.AsyncResult("a").get(timeout=0.5), KernelTimeoutError)
    assert "its state is not known" in str(error)
    assert seconds < 0.5 + SLACK_S
    chain = app.AsyncResult("last", parent=app.AsyncResult("a"))
    error, seconds = took(lambda: chain.get(timeout=0.5), KernelTimeoutError)
    assert seconds < 0.5 + SLACK_S
    weather.now = "fine"
    assert app.AsyncResult("a").get(timeout=WAIT) == 1


@pytest.mark.parametrize("trouble", ["down", "silent", "slow"])
def test_a_wait_outlasts_the_trouble(app, weather, trouble):
    store(app, "a", 1)
    weather.now = trouble
    timer = threading.Timer(0.4, setattr, (weather, "now", "fine"))
    timer.start()
    assert app.AsyncResult("a").get(timeout=WAIT) == 1
    timer.join()


def test_reading_and_writing_by_hand_end_in_time(app, weather, monkeypatch):
    monkeypatch.setattr("kernel.runtime.results.ANSWER_S", 0.5)
    monkeypatch.setattr(type(app.client.results).fetch, "__defaults__", (0.5,))
    monkeypatch.setattr(type(app.client.results)._patient, "__defaults__", (0.5,))
    result = app.AsyncResult("a")
    for weather.now in ("down", "silent"):
        for call, error in (
            (lambda: result.state, BackendGetMetaError),
            (result.exists, BackendGetMetaError),
            (result.forget, BackendStoreError),
            (lambda: store(app, "a", 1), BackendStoreError),
        ):
            _, seconds = took(call, error)
            assert seconds < 0.5 + SLACK_S


def test_a_result_is_stored_before_its_message_is_acknowledged(app, weather, monkeypatch):
    """While the store is away the message stays unsettled; a worker that is killed then leaves it to another one."""
    monkeypatch.setattr("kernel.runtime.store.STORE_TIMEOUT_S", 0.2)

    @app.task(name="proj.add")
    def add(x, y):
        return x + y

    worker = MiniWorker(app)
    inner = Weather(worker.services.backend, monkeypatch)
    inner.now = "down"
    with worker:
        result = add.delay(1, 2)
        end = time.monotonic() + WAIT
        while inner.calls < 4:  # it ran, and its result was refused again and again
            assert time.monotonic() < end
            time.sleep(0.01)
        depth = app.client.services.broker.depth(["kernel"], Deadline.after(5))["kernel"]
        assert depth.in_flight == 1
        assert not result.ready()
        inner.now = "fine"
        assert result.get(timeout=WAIT) == 3


class Door:
    """A driver whose opening takes as long as the test says."""

    made = 0

    def __init__(self, answer):
        Door.made += 1
        self.answer = answer
        self.opened = 0

    def open(self, deadline):
        self.opened += 1
        self.answer(deadline)

    def after_fork(self):
        self.opened = -1


def silent(deadline):
    while not deadline.passed:
        time.sleep(0.01)
    raise DriverError(Code.TIMEOUT, "no answer", cure="Look at the server.")


class TestOpening:
    def test_threads_that_wait_share_the_failure(self):
        """Twenty threads before a silent server: all are told after one time-out, not after twenty."""
        opening = Opening(lambda: Door(silent), "result backend")
        Door.made, told = 0, []
        gate = threading.Barrier(20)

        def ask():
            gate.wait()
            told.append(took(lambda: opening.get(Deadline.after(0.5)), DriverError))

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(told) == 20
        assert max(seconds for _, seconds in told) < 0.5 + SLACK_S
        assert all(error.code is Code.TIMEOUT and error.retryable for error, _ in told)
        assert Door.made < 20

    def test_a_later_thread_tries_for_itself(self):
        answers = [silent, lambda deadline: None]
        opening = Opening(lambda: Door(answers.pop(0)), "broker")
        took(lambda: opening.get(Deadline.after(0.05)), DriverError)
        made = opening.get(Deadline.after(1))
        assert opening.get(Deadline.after(0)) is made
        assert made.opened == 1
        opening.after_fork()
        assert made.opened == -1
        assert opening.take() is made
        assert opening.driver is None

    def test_nobody_waits_longer_than_asked_for_another_thread(self):
        go = threading.Event()
        opening = Opening(lambda: Door(lambda deadline: go.wait(WAIT)), "broker")
        first = threading.Thread(target=opening.get, args=(Deadline.after(WAIT),))
        first.start()
        while not opening._lock.locked():
            time.sleep(0.01)
        error, seconds = took(lambda: opening.get(Deadline.after(0.2)), DriverError)
        assert error.code is Code.TIMEOUT
        assert seconds < 0.2 + SLACK_S
        go.set()
        first.join()


def test_a_backend_that_opens_later_is_waited_for(app, monkeypatch):
    store(app, "a", 1)
    services = app.client.services
    services._backend.take()
    real, tries = services._drivers.backend, []

    def make(url):
        tries.append(url)
        if len(tries) < 4:
            return Door(silent if len(tries) == 2 else refused)
        return real(url)

    def refused(deadline):
        raise DriverError(Code.UNAVAILABLE, "refused")

    monkeypatch.setattr(services._drivers, "backend", make)
    _, seconds = took(lambda: app.AsyncResult("a").get(timeout=0), KernelTimeoutError)
    assert seconds < SLACK_S
    assert app.AsyncResult("a").get(timeout=WAIT) == 1
    assert len(tries) >= 4


def test_publishing_to_a_silent_broker_ends_in_time(make_app):
    app = make_app(broker_connection_timeout=0.5)
    services = app.client.services
    door = services._made["broker_transport_options"] = Door(silent)
    door.capabilities = services._drivers.broker(services.broker_url, "broker_transport_options").capabilities
    told, gate = [], threading.Barrier(10)

    def call():
        gate.wait()
        told.append(took(lambda: app.send_task("proj.add"), OperationalError)[1])

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 10
    assert max(told) < 0.5 + 0.6 + SLACK_S  # its time-out, the pauses of the policy, and slack
