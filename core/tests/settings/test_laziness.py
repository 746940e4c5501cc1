"""Nothing is read before the first value, nothing twice, and an unchanged snapshot is one object."""

import pickle
import threading

import pytest

from kernel.errors import ImproperlyConfigured


class Watched(dict):
    """An environment that counts how often it is walked through."""

    reads = 0

    def __iter__(self):
        self.reads += 1
        return super().__iter__()


@pytest.fixture
def watched(tmp_path):
    from kernel.app.settings import Settings

    environ = Watched(KERNEL_TASK_COMPRESSION="zlib")
    return environ, Settings({"task_serializer": "json"}, environ=environ, cwd=tmp_path)


def test_nothing_is_read_before_a_value_is(watched, tmp_path):
    environ, conf = watched
    (tmp_path / "kernel.toml").write_text("this is no toml")
    conf.config_from_object("no_such_module")
    conf.add_defaults(lambda: pytest.fail("called too early"))
    conf.use_file("nowhere.toml")
    conf.task_serializer = "yaml"
    conf.update(timezone="UTC")
    conf.use_command_line({"worker_concurrency": 2})
    assert "task_serializer" in conf
    assert list(conf)
    assert repr(conf) == "<Settings, not read yet>"
    assert not hasattr(conf, "nonsense")
    assert environ.reads == 0


def test_each_source_is_read_once(watched):
    environ, conf = watched
    calls = []
    conf.add_defaults(lambda: calls.append(1) or {"enable_utc": False})
    for number in range(5):
        conf.timezone = "UTC" if number % 2 else "Europe/Paris"
        assert conf.enable_utc is False
        assert conf.task_compression == "zlib"
    assert (environ.reads, calls) == (1, [1])


def test_the_snapshot_is_the_same_object_until_something_changes(watched, tmp_path):
    _, conf = watched
    first = conf.snapshot()
    assert conf.snapshot() is first
    assert conf.task_serializer == "json"
    changes = [
        lambda: conf.update(timezone="UTC"),
        lambda: setattr(conf, "enable_utc", False),
        lambda: conf.use_command_line({"worker_concurrency": 3}),
        lambda: conf.add_defaults({"result_extended": True}),
        lambda: conf.config_from_object({"task_default_queue": "q"}),
        lambda: conf.use_file(tmp_path / "x.toml"),
    ]
    (tmp_path / "x.toml").write_text("[kernel]\ntask_track_started = true\n")
    for change in changes:
        before = conf.snapshot()
        change()
        assert conf.snapshot() is not before
        assert conf.snapshot() is conf.snapshot()
    assert (first.timezone, first.enable_utc) == (None, True)
    config = conf.snapshot()
    assert (config.timezone, config.enable_utc, config.worker_concurrency) == ("UTC", False, 3)
    assert (config.result_extended, config.task_default_queue, config.task_track_started) == (True, "q", True)


def test_a_snapshot_crosses_to_another_process(make):
    config = make({"broker_transport_options": {"a": {"b": 1}}}).snapshot()
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_broken_source_is_reported_at_every_read_until_it_is_mended(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("[kernel]\nworker_concurrency = 0\n")
    conf = make()
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match="worker_concurrency = 0"):
            conf.snapshot()
    (tmp_path / "kernel.toml").write_text("[kernel]\nworker_concurrency = 1\n")
    assert conf.worker_concurrency == 1


def test_threads_see_whole_changes(make):
    conf = make()
    stop = threading.Event()
    torn = []

    def read():
        while not stop.is_set():
            config = conf.snapshot()
            if config.task_serializer != config.result_serializer:
                torn.append(config)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for name in ("json", "yaml", "pickle") * 100:
        conf.update(task_serializer=name, result_serializer=name)
    stop.set()
    for reader in readers:
        reader.join()
    assert not torn
    assert conf.task_serializer == conf.result_serializer == "pickle"
