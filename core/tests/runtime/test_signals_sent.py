"""Every signal is sent when its description says so, with what it says (features.md 2.7)."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kernel import Kernel, signals
from kernel.errors import Ignore
from kernel.runtime.commit import Committer
from kernel.runtime.logs import LogSettings, set_up
from kernel.signals import Signal
from kernel.testing import start_worker


class Heard:
    """What was sent, in order: names, and everything each came with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, signal: Signal, **arguments: Any) -> None:
        missing = signal.providing_args - arguments.keys()
        self.calls.append((signal.name, {**arguments, **({"missing": missing} if missing else {})}))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def of(self, name: str) -> dict[str, Any]:
        (found,) = (arguments for called, arguments in self.calls if called == name)
        return found

    def wait(self, name: str, count: int = 1) -> None:
        end = time.monotonic() + 30
        while self.names.count(name) < count:
            assert time.monotonic() < end, self.names
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    for name in set(signals.__all__) - {"Signal"}:
        getattr(signals, name).receivers = ()


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listens to every signal, but the one that replaces the set-up of logging."""
    listener = Heard()
    all_signals = [getattr(signals, name) for name in set(signals.__all__) - {"Signal", "setup_logging"}]
    for signal in all_signals:
        signal.connect(listener)
    yield listener
    assert [name for name, arguments in listener.calls if "missing" in arguments] == []


@pytest.fixture
def app() -> Iterator[Kernel]:
    made = Kernel(
        "told", set_as_current=False, broker="memory://", backend="memory://", task_create_missing_queues=True
    )

    @made.task(bind=True, name="told.add")
    def add(self: Any, x: int, y: int) -> int:
        return x + y

    @made.task(bind=True, name="told.fail", throws=(ValueError,))
    def fail(self: Any) -> None:
        raise ValueError("no")

    @made.task(bind=True, name="told.again", max_retries=1)
    def again(self: Any) -> str:
        if self.request.retries:
            return "at last"
        raise self.retry(countdown=0, exc=OSError("not yet"))

    @made.task(name="told.ignore")
    def ignore() -> None:
        raise Ignore

    yield made
    made.close()


def test_a_success_is_told_from_the_call_to_the_end(app: Kernel, heard: Heard) -> None:
    add = app.tasks["told.add"]
    with start_worker(app, hostname="w1@here") as running:
        result = add.apply_async((2,), {"y": 3}, headers={"mine": 1})
        assert result.get(timeout=30) == 5
        heard.wait("task_postrun")
    ours = [name for name in heard.names if name.startswith(("task_", "before_", "after_task"))]
    assert ours == [
        "before_task_publish", "after_task_publish", "task_received", "task_prerun", "task_success", "task_postrun",
    ]  # fmt: skip
    before, after = heard.of("before_task_publish"), heard.of("after_task_publish")
    assert before["sender"] == after["sender"] == "told.add"
    assert before["body"][:2] == ((2,), {"y": 3})
    assert after["headers"]["id"] == result.id
    assert after["headers"]["mine"] == 1
    assert after["routing_key"] == before["routing_key"] == "kernel"
    received = heard.of("task_received")
    assert (received["sender"], received["request"].id, received["request"].task) == ("w1@here", result.id, add)
    prerun, postrun = heard.of("task_prerun"), heard.of("task_postrun")
    assert (prerun["sender"], prerun["task_id"], prerun["args"], prerun["kwargs"]) == (add, result.id, (2,), {"y": 3})
    assert (postrun["retval"], postrun["state"], postrun["task"]) == (5, "SUCCESS", add)
    assert heard.of("task_success") == {"sender": add, "result": 5}
    assert running.worker.hostname == "w1@here"


def test_the_life_of_a_worker_is_told(app: Kernel, heard: Heard) -> None:
    with start_worker(app, hostname="w1@here", heartbeat=True) as running:
        heard.wait("worker_ready")
        heard.wait("heartbeat_sent")
    life = [name for name in heard.names if name.startswith(("worker_", "celeryd_", "import_"))]
    assert life == [
        "celeryd_init", "import_modules", "celeryd_after_setup", "worker_init", "worker_process_init", "worker_ready",
        "worker_shutting_down", "worker_process_shutdown", "worker_shutdown",
    ]  # fmt: skip
    worker = running.worker
    assert heard.of("celeryd_init")["sender"] == heard.of("celeryd_after_setup")["sender"] == "w1@here"
    assert heard.of("celeryd_init")["conf"] is app.conf
    assert heard.of("import_modules")["sender"] is app
    assert heard.of("worker_ready")["sender"] is heard.of("worker_shutdown")["sender"] is worker
    assert heard.of("worker_shutting_down") == {"sender": "w1@here", "sig": None, "how": "Warm", "exitcode": 0}


def test_settings_may_be_changed_when_a_worker_begins(app: Kernel) -> None:
    @signals.celeryd_init.connect(sender="w1@here")
    def configure(conf: Any, **_: Any) -> None:
        conf.task_soft_time_limit = 7.0

    with start_worker(app, hostname="w1@here") as running:
        assert running.worker.config.task_soft_time_limit == 7.0


def test_a_failure_and_a_retry_are_told(app: Kernel, heard: Heard) -> None:
    with start_worker(app):
        failed = app.tasks["told.fail"].delay()
        assert isinstance(failed.get(timeout=30, propagate=False), ValueError)
        assert app.tasks["told.again"].delay().get(timeout=30) == "at last"
        app.tasks["told.ignore"].delay()
        heard.wait("task_postrun", 4)
    failure = heard.of("task_failure")
    assert failure["task_id"] == failed.id
    assert failure["exception"].args == ("no",)
    assert "ValueError: no" in failure["traceback"]
    assert failure["einfo"].exception is failure["exception"]
    retry = heard.of("task_retry")
    assert isinstance(retry["reason"], OSError)
    assert retry["request"].task == "told.again"
    states = [arguments["state"] for name, arguments in heard.calls if name == "task_postrun"]
    assert sorted(states) == ["FAILURE", "IGNORED", "RETRY", "SUCCESS"]


def test_what_is_not_run_is_told(app: Kernel, heard: Heard) -> None:
    late = app.tasks["told.add"].apply_async((1, 1), expires=0.001)
    app.send_task("told.unheard_of")
    time.sleep(0.01)
    with start_worker(app, hostname="w1@here"):
        heard.wait("task_revoked")
        heard.wait("task_unknown")
    revoked = heard.of("task_revoked")
    assert (revoked["sender"], revoked["request"].id, revoked["expired"]) == (app.tasks["told.add"], late.id, True)
    assert (revoked["terminated"], revoked["signum"]) == (False, None)
    unknown = heard.of("task_unknown")
    assert (unknown["sender"], unknown["name"]) == ("w1@here", "told.unheard_of")


def test_a_task_that_was_revoked_is_told_when_its_message_comes(app: Kernel, heard: Heard) -> None:
    with start_worker(app):
        late = app.tasks["told.add"].apply_async((1, 1), countdown=3)
        late.revoke()
        heard.wait("task_revoked")
    revoked = heard.of("task_revoked")
    assert (revoked["request"].id, revoked["expired"], revoked["terminated"]) == (late.id, False, False)
    assert "task_prerun" not in heard.names


def test_headers_and_arguments_may_be_changed_before_a_message_is_made(app: Kernel) -> None:
    add = app.tasks["told.add"]
    with start_worker(app):
        assert add.delay(1, y=1).get(timeout=30) == 2

        @signals.before_task_publish.connect(sender="told.add")
        def change(headers: dict[str, Any], body: Any, properties: dict[str, Any], **_: Any) -> None:
            headers["traced"] = "yes"
            body[1]["y"] = 10
            properties["app_id"] = "me"

        sent: list[dict[str, Any]] = []

        @signals.after_task_publish.connect
        def note(headers: dict[str, Any], **_: Any) -> None:
            sent.append(headers)

        assert add.delay(1, y=1).get(timeout=30) == 11
        assert [headers["traced"] for headers in sent] == ["yes"]


def test_an_eager_call_is_told_like_any_other(app: Kernel, heard: Heard) -> None:
    assert app.tasks["told.add"].apply((1, 1)).get() == 2
    assert heard.names == ["task_prerun", "task_success", "task_postrun"]


def test_a_receiver_may_ask_for_the_running_task(app: Kernel) -> None:
    add, seen = app.tasks["told.add"], []

    @signals.task_prerun.connect(sender=add)
    def look(**_: Any) -> None:
        seen.append(add.request.id)

    @signals.task_postrun.connect(sender=add)
    def look_again(**_: Any) -> None:
        seen.append(add.request.id)

    result = add.apply((1, 1))
    assert seen == [result.id, result.id]


def test_a_defect_of_the_kernel_is_told(app: Kernel, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, left = Committer.commit, [1]

    def fail_once(self: Committer, finished: Any) -> Any:
        if left:
            left.pop()
            raise RuntimeError("a defect")
        return whole(self, finished)

    monkeypatch.setattr(Committer, "commit", fail_once)
    with start_worker(app):
        assert app.tasks["told.add"].delay(1, 1).get(timeout=30) == 2
    told = heard.of("task_internal_error")
    assert (told["args"], str(told["exception"])) == ((1, 1), "a defect")


def test_logging_is_left_to_whoever_listens(app: Kernel) -> None:
    logger, calls = logging.getLogger("kernel"), []
    before = list(logger.handlers)

    @signals.setup_logging.connect
    def mine(loglevel: int, logfile: str | None, **_: Any) -> None:
        calls.append((loglevel, logfile))

    set_up(LogSettings(app.config, logging.DEBUG, "unwritable/log"))
    assert calls == [(logging.DEBUG, "unwritable/log")]
    assert logger.handlers == before


def test_loggers_may_be_changed_after_they_were_set_up(app: Kernel, heard: Heard) -> None:
    kept = {name: (list(found.handlers), found.level, found.propagate)
            for name in ("kernel", "kernel.task") if (found := logging.getLogger(name))}  # fmt: skip
    try:
        set_up(LogSettings(app.config, logging.ERROR))
    finally:
        for name, (handlers, level, propagate) in kept.items():
            logger = logging.getLogger(name)
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)
    assert heard.names == ["after_setup_logger", "after_setup_task_logger"]
    assert heard.of("after_setup_task_logger")["logger"].name == "kernel.task"
    assert heard.of("after_setup_logger")["loglevel"] == logging.ERROR
