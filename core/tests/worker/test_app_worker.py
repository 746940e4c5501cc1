"""From options and settings to a node: names, queues, sizes, refusals."""

import logging
import os
import pickle
import sys

import pytest

from kernel import Kernel
from kernel.app.executors import SpawningFactory, where_is
from kernel.app.node_name import node_name
from kernel.app.worker import Worker
from kernel.errors import ImproperlyConfigured, PluginError, QueueNotFound, SecurityError
from kernel.runtime.cpus import usable_cpus
from kernel.runtime.executor import TaskExecutor


@pytest.fixture
def app(tmp_path):
    url = f"sqlite:///{tmp_path}/app-worker.sqlite3"
    made = Kernel("proj", set_as_current=False, broker=url, backend=url)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("given", "host", "expected"),
    [
        (None, "box.example.org", "kernel@box.example.org"),
        ("w1", "box.example.org", "w1@box.example.org"),
        ("w1@%h", "box.example.org", "w1@box.example.org"),
        ("w1@%n", "box.example.org", "w1@box"),
        ("%n@%d", "box.example.org", "box@example.org"),
        ("w1@other", "box", "w1@other"),
        ("100%%@%h", "box", "100%@box"),
    ],
)
def test_node_names(given, host, expected):
    assert node_name(given, "kernel", host) == expected


@pytest.mark.parametrize("given", ["a b", "@box", "w1@", "a@b@c", "w1@%d"])
def test_names_that_are_none(given):
    with pytest.raises(ImproperlyConfigured, match="name@host"):
        node_name(given, "kernel", "box")


def test_all_configured_queues_or_those_named(app):
    assert Worker(app).queues == ("kernel",)
    app.conf.task_queues = ["one", "two", "three"]
    app.conf.task_default_queue = "one"
    assert Worker(app).queues == ("one", "two", "three")
    assert Worker(app, queues=["two", "new", "two"]).queues == ("two", "new")
    assert Worker(app, exclude_queues=["two"]).queues == ("one", "three")


def test_queues_that_cannot_be(app):
    app.conf.task_queues = ["one", "two"]
    app.conf.task_default_queue = "one"
    with pytest.raises(QueueNotFound, match="'twoo'"):
        Worker(app, exclude_queues=["twoo"])
    with pytest.raises(ImproperlyConfigured, match="No queue"):
        Worker(app, exclude_queues=["one", "two"])
    app.conf.task_create_missing_queues = False
    with pytest.raises(QueueNotFound, match="'new'"):
        Worker(app, queues=["new"])


def test_options_are_settings_of_this_worker_only(app):
    worker = Worker(app, pool="threads", concurrency=3, task_events=True, hostname="w1@box")
    assert (worker.concurrency, worker.pool.name, worker.hostname) == (3, "threads", "w1@box")
    assert worker.config.worker_send_task_events
    assert app.conf.worker_pool == "prefork"
    assert not app.conf.worker_send_task_events
    assert Worker(app, pool="threads", concurrency="auto").concurrency == usable_cpus()


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"concurrency": 0}, ImproperlyConfigured, "worker_concurrency"),
        ({"concurrency": "many"}, ImproperlyConfigured, "worker_concurrency"),
        ({"pool": "nosuch"}, PluginError, "nosuch"),
        ({"pool": "threads", "time_limit": 3}, PluginError, "task_time_limit"),
        ({"pool": "threads", "max_tasks_per_child": 3}, PluginError, "worker_max_tasks_per_child"),
        ({"hostname": "a b"}, ImproperlyConfigured, "a b"),
        ({"color": True}, TypeError, "color"),
    ],
)
def test_wrong_options_are_named(app, options, error, named):
    with pytest.raises(error, match=named):
        Worker(app, **options)


def test_a_task_may_need_more_than_the_pool_can_do(app):
    @app.task(time_limit=5)
    def limited():
        pass

    Worker(app)
    with pytest.raises(PluginError, match="limited"):
        Worker(app, pool="threads")


def test_pickle_as_root_must_be_asked_for(app, monkeypatch):
    app.conf.accept_content = ["json", "pickle"]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(SecurityError, match="pickle"):
        Worker(app)
    Worker(app, force_root=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    Worker(app)


def test_modules_with_tasks_are_imported(app, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "late_tasks.py").write_text("LOADED = True\n")
    (tmp_path / "torn_tasks.py").write_text("import no_such_library\n")
    app.conf.include = ["late_tasks"]
    Worker(app)
    assert sys.modules.pop("late_tasks").LOADED
    app.conf.imports = ["late_taks"]
    with pytest.raises(ImproperlyConfigured, match="late_taks"):
        Worker(app)
    app.conf.imports = ["torn_tasks"]
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        Worker(app)


def test_purge_deletes_what_waits(app):
    @app.task
    def add(x, y):
        return x + y

    for n in range(3):
        add.delay(n, 1)
    assert Worker(app).purge() == 3
    assert Worker(app).purge() == 0


def test_a_fresh_interpreter_gets_the_app_by_its_path_and_the_settings(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "spawned_app.py").write_text(
        "from kernel import Kernel\napp = Kernel('spawned', set_as_current=False)\n"
        "@app.task\ndef add(x, y):\n    return x + y\n"
    )
    import spawned_app

    try:
        assert where_is(spawned_app.app) == ("spawned_app", "app")
        url = f"sqlite:///{tmp_path}/spawn.sqlite3"
        spawned_app.app.conf.use_command_line({"broker_url": url, "worker_redirect_stdouts": False})
        spawned_app.app.conf.worker_pool_start_method = "spawn"
        factory = Worker(spawned_app.app, loglevel="ERROR")._factory()
        assert isinstance(factory, SpawningFactory)
        copy = pickle.loads(pickle.dumps(factory))
        assert copy.settings["broker_url"] == url
        levels = {name: (logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in LOGGERS}
        try:
            assert isinstance(copy(), TaskExecutor)
        finally:
            for name, (level, handlers) in levels.items():
                logging.getLogger(name).setLevel(level)
                logging.getLogger(name).handlers[:] = handlers
                logging.getLogger(name).propagate = True
    finally:
        spawned_app.app.close()
        del sys.modules["spawned_app"]


LOGGERS = ("kernel", "kernel.task")


def test_an_app_that_cannot_be_imported_cannot_be_spawned(app):
    app.conf.worker_pool_start_method = "spawn"
    with pytest.raises(ImproperlyConfigured, match="spawn"):
        Worker(app).make_node()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "nonsense\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_cpus_follow_the_control_group(tmp_path, monkeypatch, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert usable_cpus(tmp_path) == (8 if expected is None else expected)
