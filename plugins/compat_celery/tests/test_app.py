"""``Celery``: its constructor, its defaults, and the names of Celery's application (features.md 1.15, 1.17)."""

import logging
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kernel.signals
from kernel.app.current import holder
from kernel.testing import start_worker
from plugin_compat_celery import Celery, Task, current_app, maybe_signature, shared_task
from plugin_compat_celery.app.amqp import AMQP
from plugin_compat_celery.app.log import TaskFormatter
from plugin_compat_celery.beat import PersistentScheduler
from plugin_compat_celery.exceptions import ImproperlyConfigured, MaxRetriesExceededError, OperationalError
from plugin_compat_celery.loaders.base import BaseLoader
from plugin_compat_celery.local import PromiseProxy, Proxy, maybe_evaluate
from plugin_compat_celery.result import AsyncResult, EagerResult, ResultSet
from plugin_compat_celery.schedules import crontab
from plugin_compat_celery.utils.dispatch import Signal
from plugin_compat_celery.utils.log import ColorFormatter, LoggingProxy


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    app = holder.get()
    yield
    holder.set(app)
    for name in set(kernel.signals.__all__) - {"Signal"}:
        getattr(kernel.signals, name).receivers = ()


def made(**options: Any) -> Celery:
    return Celery("proj", **{"broker": "memory://", "backend": "memory://", "set_as_current": False, **options})


def test_without_a_broker_it_is_the_one_celery_would_use_and_names_are_celerys() -> None:
    app = Celery("proj", set_as_current=False)
    assert app.config.broker_url == "amqp://guest:guest@localhost:5672//"
    assert app.config.namespace == "celery"
    assert app.config.result_backend is None


def test_arguments_of_the_constructor_are_those_of_celery() -> None:
    class MyTask(Task):
        mine = True

    class MyAmqp(AMQP):
        pass

    class MyLoader(BaseLoader):
        pass

    app = made(
        changes={"task_acks_late": True}, task_cls=MyTask, amqp=MyAmqp, loader=MyLoader, fixups=[], namespace="CELERY",
        strict_typing=False, config_source={"CELERY_TASK_TRACK_STARTED": True}, timezone="Europe/Oslo",
    )  # fmt: skip

    @app.task
    def add(x: int) -> int:
        return x

    assert isinstance(add, MyTask)
    assert isinstance(app.amqp, MyAmqp)
    assert isinstance(app.loader, MyLoader)
    assert (app.conf.task_acks_late, app.conf.task_track_started) == (True, True)
    assert str(app.timezone) == "Europe/Oslo"
    assert app.config.strict_typing is False


def test_classes_may_be_named_by_celerys_own_names() -> None:
    app = made(task_cls="celery.app.task:Task", amqp="celery.app.amqp:AMQP", loader="celery.loaders.app:AppLoader")
    assert app.Task is Task
    assert type(app.loader).__name__ == "AppLoader"


def test_on_init_finds_everything_in_place() -> None:
    class MyCelery(Celery):
        def on_init(self) -> None:
            self.seen = (self.loader, self.log, self.conf.namespace, current_app._get_current_object() is self)

    app = MyCelery("proj", broker="memory://")
    assert app.seen == (app.loader, app.log, "celery", True)


def test_tasks_are_made_with_options_that_only_celery_has() -> None:
    app = made()

    @app.task(bind=True, shared=False, lazy=False, acks_on_failure_or_timeout=False, retry_on_worker_lost=True)
    def add(self: Any, x: int) -> int:
        return x

    options = add.task_options
    assert (options.acks_on_failure, options.acks_on_timeout, options.reject_on_worker_lost) == (False, False, True)
    for refused in ({"filter": print}, {"pydantic": True}):
        with pytest.raises(ImproperlyConfigured, match="has no counterpart"):
            app.task(**refused)(lambda: None)


def test_an_option_on_a_class_of_its_own_counts_too() -> None:
    app = made()

    class Late(Task):
        acks_on_failure_or_timeout = False
        acks_on_timeout = True
        name = "late"
        bound_to: Any = None

        def run(self) -> None: ...

        def on_bound(self, app: Any) -> None:
            self.bound_to = app

    task = app.register_task(Late())
    assert (task.task_options.acks_on_failure, task.task_options.acks_on_timeout) == (False, True)
    assert task.bound_to is app
    assert task.MaxRetriesExceededError is MaxRetriesExceededError


def test_a_request_can_be_pushed_to_try_a_body() -> None:
    app = made()

    @app.task(bind=True)
    def look(self: Any) -> tuple[Any, int]:
        return self.request.id, self.request.retries

    look.push_request(id="1", retries=2)
    look.push_request(id="2")
    assert look.run() == ("2", 0)
    look.pop_request()
    assert look.run() == ("1", 2)
    look.pop_request()
    assert look.request.id is None
    with pytest.raises(IndexError):
        look.pop_request()


def test_tasks_are_discovered_when_a_worker_imports_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in (
        ("__init__", ""),
        ("tasks", "from plugin_compat_celery import shared_task\n@shared_task\ndef found(): ...\n"),
    ):
        path = tmp_path / "found_late" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    app = made()
    app.autodiscover_tasks(["found_late"])
    assert "found_late.tasks" not in sys.modules
    with start_worker(app):
        assert "found_late.tasks.found" in app.tasks


def test_an_error_in_a_discovered_module_keeps_the_worker_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "found_broken").mkdir()
    (tmp_path / "found_broken/__init__.py").touch()
    (tmp_path / "found_broken/tasks.py").write_text("raise ZeroDivisionError('in tasks')")
    app = made()
    app.autodiscover_tasks(lambda: ["found_broken"])
    with pytest.raises(ZeroDivisionError, match="in tasks"):
        app.Worker(pool="solo")


def test_a_loader_is_told_of_the_life_of_workers_and_tasks() -> None:
    told: list[str] = []

    class MyLoader(BaseLoader):
        def on_worker_init(self) -> None:
            told.append("worker")

        def on_worker_process_init(self) -> None:
            told.append("process")

        def on_task_init(self, task_id: str, task: Any) -> None:
            told.append(task.name)

        def on_process_cleanup(self) -> None:
            told.append("cleanup")

        def on_worker_shutdown(self) -> None:
            told.append("shutdown")

    app = made(loader=MyLoader)

    @app.task(name="add")
    def add() -> int:
        return 1

    with start_worker(app):
        assert add.delay().get(timeout=30) == 1
    assert told == ["worker", "process", "add", "cleanup", "shutdown"]


def test_signals_of_the_application_come_once() -> None:
    app, told = made(), []
    for name in ("on_configure", "on_after_configure", "on_after_finalize"):
        getattr(app, name).connect(lambda sender, signal, **_: told.append((signal.name, sender is app)))
    app.finalize()
    assert app.conf.task_acks_late is False
    assert app.config is app.config
    assert sorted(told) == [("on_after_configure", True), ("on_after_finalize", True), ("on_configure", True)]


def test_a_shared_task_is_the_sender_that_signals_name() -> None:
    app, told = made(), []

    @shared_task(name="shared.add")
    def add() -> int:
        return 1

    holder.set(app)
    kernel.signals.task_success.connect(lambda result, **_: told.append(result), sender=add, weak=False)
    assert add.apply().get() == 1
    assert app.tasks["shared.add"] == add
    assert told == [1]


def test_programs_are_run_by_the_application(capfd: pytest.CaptureFixture[str]) -> None:
    app = made()
    assert app.start(["worker", "-P", "gevent"]) == 78
    assert "Pool 'gevent'" in capfd.readouterr().err
    with pytest.raises(ValueError, match="worker_main"):
        app.worker_main(["--loglevel=INFO"])


@pytest.mark.parametrize("scheduler", [None, "celery.beat:PersistentScheduler", "celery.beat.PersistentScheduler"])
def test_a_scheduler_may_be_named_by_celerys_own_name(tmp_path: Path, scheduler: str | None) -> None:
    app = made(beat_schedule={"often": {"task": "add", "schedule": crontab(minute=0), "args": (1,)}})
    if scheduler is not None:
        app.conf.beat_scheduler = scheduler
        assert app.config.beat_scheduler.startswith("plugin_compat_celery.beat")
    found = app.Beat(schedule=str(tmp_path / "schedule")).service.get_scheduler(lazy=True)
    assert isinstance(found, PersistentScheduler)


def test_results_from_anywhere_are_waited_for_together() -> None:
    app = made()

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    with start_worker(app):
        results = app.ResultSet([add.delay(1, 1), add.delay(2, 2)])
        assert isinstance(results, ResultSet)
        assert results.get(timeout=30) == [2, 4]
    assert isinstance(results[0], AsyncResult)


def test_a_name_that_is_not_there_says_why() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'steps': a worker of kernel has no bootsteps"):
        made().steps  # noqa: B018 - it is the access that tells
    with pytest.raises(AttributeError, match=r"'Celery' object has no attribute 'stepz'$"):
        made().stepz  # noqa: B018 - likewise


def test_a_broker_that_is_away_raises_an_error_of_kombu_too(tmp_path: Path) -> None:
    import kombu.exceptions

    app = made(broker="amqp://guest:guest@127.0.0.1:1//", broker_connection_timeout=1)

    @app.task
    def add() -> None: ...

    with pytest.raises(kombu.exceptions.OperationalError) as caught:
        add.apply_async(retry=False)
    assert isinstance(caught.value, add.OperationalError)
    assert isinstance(caught.value, OperationalError)
    assert "127.0.0.1" in str(caught.value)
    assert list(caught.value.failed)


def test_connections_are_kombus() -> None:
    app = made(broker="memory://")
    with pytest.raises(ImproperlyConfigured, match="none that kombu can connect to"):
        app.connection()
    with app.connection_for_write("memory://") as connection:
        assert connection.transport_cls == "memory"
        with app.connection_or_acquire(connection) as same:
            assert same is connection
    with app.producer_or_acquire() as producer:
        assert producer.publish([]) is None


def test_queues_of_kombu_are_queues_here() -> None:
    from kombu import Exchange, Queue

    topic = Exchange("topics", type="topic")
    app = made(task_queues=[Queue("a", topic, routing_key="a.#"), Queue("b")])
    app.conf.task_routes = {"add": {"exchange": topic, "routing_key": "a.b"}}

    @app.task(name="add")
    def add(x: int) -> int:
        return x

    with start_worker(app) as running:
        assert running.worker.queues == ("a", "b")
        assert add.delay(1).get(timeout=30) == 1
        assert add.apply_async((2,), queue=Queue("b")).get(timeout=30) == 2


def test_proxies_stand_for_their_object() -> None:
    calls: list[int] = []

    def find() -> list[int]:
        calls.append(1)
        return calls

    proxy: Any = Proxy(find)
    assert isinstance(proxy, list)
    assert len(proxy) == 2
    assert proxy == [1, 1, 1]
    promise: Any = PromiseProxy(lambda: [1, 2])
    told: list[int] = []
    promise.__then__(told.append, 1)
    assert not promise.__evaluated__()
    assert told == []
    assert (promise[0], [*promise, 3], told) == (1, [1, 2, 3], [1])
    assert maybe_evaluate(promise) is maybe_evaluate(promise)
    assert maybe_evaluate(5) == 5


def test_log_is_set_up_as_a_worker_does(tmp_path: Path) -> None:
    app, logger = made(worker_hijack_root_logger=False), logging.getLogger("kernel")
    opened = logging.getLogger("kernel"), logging.getLogger("kernel.task")
    before = (list(logger.handlers), logger.level, logger.propagate)
    root = list(logging.getLogger().handlers)
    logging.getLogger().handlers[:] = []
    try:
        app.log.setup("INFO", str(tmp_path / "log"))
        logger.info("said")
        streams = {handler.stream for each in opened for handler in each.handlers}  # type: ignore[attr-defined]
        for stream in streams:
            stream.close()
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
        logging.getLogger().handlers[:] = root
        tasks = logging.getLogger("kernel.task")
        tasks.handlers[:], tasks.propagate = [], True
    assert "INFO/MainProcess] said" in (tmp_path / "log").read_text()


DJANGO = textwrap.dedent("""
    calls = []
    def setup(): calls.append("setup")
""")


def test_a_django_project_is_set_up_before_its_tasks_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {
        "django/__init__.py": DJANGO,
        "django/core/__init__.py": "",
        "django/core/checks.py": "import django\ndef run_checks(): django.calls.append('checks')\n",
        "django/db/__init__.py": "class connections:\n    @staticmethod\n    def all(initialized_only): return []\n",
        "django/db/transaction.py": "waiting = []\ndef on_commit(call): waiting.append(call)\n",
        "django/apps.py": (
            "class Config: name = 'polls'\n"
            "class apps:\n    @staticmethod\n    def get_app_configs(): return [Config]\n"
        ),
        "polls/__init__.py": "",
        "polls/tasks.py": (
            "import django\ndjango.calls.append('tasks')\n"
            "from plugin_compat_celery import shared_task\n@shared_task\ndef count(): return 1\n"
        ),
    }  # fmt: skip
    for name, text in modules.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "proj.settings")
    app = made()
    app.autodiscover_tasks()
    with start_worker(app):
        count = app.tasks["polls.tasks.count"]
        assert count.delay().get(timeout=30) == 1
        count.delay_on_commit()
        count.apply_async_on_commit(countdown=0)
        import django.db.transaction

        for call in django.db.transaction.waiting:
            assert call().get(timeout=30) == 1
    import django

    assert django.calls == ["setup", "checks", "tasks"]
    for name in [each for each in sys.modules if each.partition(".")[0] in {"django", "polls"}]:
        del sys.modules[name]


def test_formatters_streams_and_signals_are_made_as_in_celery() -> None:
    record = logging.LogRecord("mine", logging.WARNING, __file__, 1, "said", None, None)
    assert TaskFormatter("%(task_id)s %(message)s", use_color=False).format(record) == "??? said"
    assert ColorFormatter("%(message)s").format(record) == "\x1b[33msaid\x1b[0m"
    assert "WARNING" in TaskFormatter().format(record)
    signal = Signal(providing_args=["value"], use_caching=True, name="mine")
    got: list[int] = []
    signal.connect(lambda value, **_: got.append(value), weak=False)
    signal.send(None, value=1)
    assert (got, repr(signal)) == ([1], "<Signal mine>")


def test_a_stream_for_a_logger_has_its_level(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("plugin_compat_celery.test")
    with caplog.at_level(logging.INFO, logger.name):
        LoggingProxy(logger).write("one\n")
        LoggingProxy(logger, "ERROR").write("two\n")
    assert [(record.levelname, record.message) for record in caplog.records] == [("INFO", "one"), ("ERROR", "two")]


def test_a_signature_may_be_copied_on_the_way() -> None:
    app = made()
    sig = app.signature("add", args=(1,))
    assert maybe_signature(sig) is sig
    assert maybe_signature(sig, clone=True) is not sig
    assert maybe_signature(dict(sig), app=app) == sig
    assert maybe_signature(None) is None


def test_an_eager_result_may_be_made_by_hand() -> None:
    app = made()
    result = EagerResult("id", 5, "SUCCESS", app=app)
    assert (result.get(), result.state, result.successful(), result.id) == (5, "SUCCESS", True, "id")
    failed = EagerResult("id", ValueError("no"), "FAILURE", traceback="text", app=app)
    assert (failed.failed(), failed.traceback) == (True, "text")
    with pytest.raises(ValueError, match="no"):
        failed.get()

    @app.task(name="add")
    def add() -> int:
        return 1

    assert isinstance(add.apply(), EagerResult)
    assert add.apply().name == "add"
