"""``app.conf`` of a Celery application: sources, names, changes in place (features.md 1.16)."""

import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.adapter.configuration import CelerySettings
from plugin_compat_celery.adapter.configuration.settings import UnsupportedSetting

PASSWORD = "only-a-test"
URL = f"redis://:{PASSWORD}@h/1"


def settings(environ: dict[str, str] | None = None, /, **constructor: object) -> CelerySettings:
    return CelerySettings(constructor, environ=environ or {}, cwd="/nonexistent")


def module(name: str, **values: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(values)
    return made


def test_what_is_given_is_read_in_celerys_words_and_acted_upon_in_the_kernels() -> None:
    conf = settings(broker_url=URL, result_backend="cache+memory://", worker_prefetch_multiplier=1)
    assert conf.result_backend == "cache+memory://"
    assert conf.worker_prefetch_multiplier == 1
    assert conf.snapshot().result_backend == "memory://"
    assert conf.snapshot().namespace == "celery"


def test_the_names_of_old_read_and_write_the_same() -> None:
    conf = settings(CELERY_TASK_SERIALIZER="yaml")
    assert conf.task_serializer == conf["CELERY_TASK_SERIALIZER"] == "yaml"
    conf.CELERYD_CONCURRENCY = 3
    assert conf.snapshot().worker_concurrency == 3


def test_defaults_are_celerys_where_the_kernel_has_no_such_setting() -> None:
    conf = settings()
    assert conf.worker_prefetch_multiplier == 4
    assert conf.task_default_queue == conf.task_default_exchange == conf.task_default_routing_key == "celery"
    assert conf.broker_url == conf.broker_read_url == "amqp://guest:guest@localhost:5672//"
    assert conf.result_backend is None
    assert conf.snapshot().worker_hijack_root_logger is True


@pytest.mark.parametrize("name", ["task_routes", "beat_schedule", "broker_transport_options"])
def test_a_mapping_may_be_changed_in_place(name: str) -> None:
    value = {"task": "b", "schedule": 30} if name == "beat_schedule" else {"queue": "b"}
    conf = settings(**{name: {}})
    conf[name]["a"] = value
    conf[name].update({"c": value})
    del conf[name]["c"]
    assert dict(conf[name]) == {"a": value}


def test_a_change_in_place_takes_effect() -> None:
    conf = settings(task_routes={"a": "b"})
    assert conf.snapshot().task_routes == {"a": "b"}
    conf.task_routes["c"] = "d"
    assert conf.snapshot().task_routes == {"a": "b", "c": "d"}


def test_run_time_changes_are_stronger_than_the_constructor_and_that_than_the_object() -> None:
    conf = settings(timezone="Europe/Paris", result_expires=1)
    conf.result_expires = 2
    conf.config_from_object(SimpleNamespace(timezone="Europe/London", result_expires=3, task_track_started=True))
    assert (conf.timezone, conf.result_expires, conf.task_track_started) == ("Europe/Paris", 2, True)
    conf.add_defaults(lambda: {"task_track_started": False, "task_serializer": "yaml"})
    assert (conf.task_track_started, conf.task_serializer) == (True, "yaml")


def test_a_module_is_read_by_name_object_and_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    own = module("own_celeryconfig", task_serializer="yaml", helper=len, Config=SimpleNamespace(timezone="UTC"))
    monkeypatch.setitem(sys.modules, "own_celeryconfig", own)
    for source in ("own_celeryconfig", own):
        conf = settings()
        conf.config_from_object(source)
        assert conf.task_serializer == "yaml"
    conf = settings()
    conf.config_from_object("own_celeryconfig:Config")
    assert conf.timezone == "UTC"


def test_the_environment_names_the_module_and_the_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "own_celeryconfig", module("own_celeryconfig", broker_url="redis://a", timezone="UTC")
    )
    conf = settings({"CELERY_CONFIG_MODULE": "own_celeryconfig", "CELERY_BROKER_URL": "redis://b"})
    assert (conf.broker_url, conf.timezone) == ("redis://b", "UTC")
    assert conf.snapshot().broker_url == "redis://b"
    conf = settings({"CONFIG": "own_celeryconfig"})
    conf.config_from_envvar("CONFIG", force=True)
    assert conf.broker_url == "redis://a"


def test_a_variable_of_the_kernel_is_stronger_than_the_configuration() -> None:
    conf = settings({"KERNEL_TASK_SERIALIZER": "yaml"}, task_serializer="json")
    assert conf.snapshot().task_serializer == conf.task_serializer == "yaml"


def test_kernel_toml_is_weaker_than_the_configuration_and_stronger_than_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "kernel.toml").write_text('[kernel]\nbroker_url = "memory://x"\ntask_serializer = "yaml"\n')
    conf = CelerySettings({"task_serializer": "json"}, environ={}, cwd=tmp_path)
    assert (conf.broker_url, conf.snapshot().task_serializer) == ("memory://x", "json")


def test_a_namespace_takes_upper_case_names_behind_it_only() -> None:
    django = SimpleNamespace(
        CELERY_BROKER_URL="redis://h", CELERY_TASK_ROUTES={"a": "b"}, DEBUG=True, TIME_ZONE="Asia/Tokyo"
    )
    conf = settings()
    conf.config_from_object(django, namespace="CELERY")
    assert (conf.broker_url, conf.timezone) == ("redis://h", "Asia/Tokyo")
    assert conf["CELERY_TASK_ROUTES"] == {"a": "b"}
    assert "DEBUG" not in conf.table()


@pytest.mark.parametrize(
    ("mixture", "cure"),
    [
        (
            {"CELERYD_CONCURRENCY": 1, "task_serializer": "json", "timezone": "UTC"},
            "CELERYD_CONCURRENCY → worker_concurrency",
        ),
        (
            {"CELERYD_CONCURRENCY": 1, "CELERY_TIMEZONE": "UTC", "task_serializer": "json"},
            "task_serializer → CELERY_TASK_SERIALIZER",
        ),
    ],
)
def test_new_and_old_names_are_not_mixed(mixture: dict[str, object], cure: str) -> None:
    conf = settings()
    conf.config_from_object(mixture)
    with pytest.raises(ImproperlyConfigured, match="mixes new and old") as caught:
        conf.snapshot()
    assert cure in caught.value.cure


def test_a_setting_under_both_names_is_no_mixture() -> None:
    conf = settings()
    conf.config_from_object({"result_expires": 1, "CELERY_TASK_RESULT_EXPIRES": 1})
    assert conf.result_expires == 1


def test_a_missing_module_is_an_error_unless_it_may_be_missing() -> None:
    conf = settings()
    conf.config_from_object("no_such_module_anywhere")
    with pytest.raises(ImproperlyConfigured, match="no_such_module_anywhere"):
        conf.snapshot()
    conf.config_from_object("no_such_module_anywhere", silent=True)
    assert conf.table() == {}


def test_what_has_no_effect_is_said_once() -> None:
    conf = settings(s3_bucket="b")
    with pytest.warns(UnsupportedSetting, match="s3_bucket has no effect"):
        conf.snapshot()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        conf.task_serializer = "json"
        conf.snapshot()


def test_unknown_names_are_attributes_and_keys_that_are_missing() -> None:
    conf = settings()
    assert not hasattr(conf, "task_serialiser")
    assert conf.get("task_serialiser", 5) == 5
    with pytest.raises(KeyError, match="Did you mean 'task_serializer'"):
        conf["task_serialiser"]
    conf.my_own = 3
    assert conf.my_own == conf["my_own"] == 3


def test_the_table_masks_secrets_and_shows_what_was_given() -> None:
    conf = settings(broker_url=URL, task_track_started=True, redis_password=PASSWORD)
    assert conf.table() == {
        "broker_url": "redis://:********@h/1",
        "task_track_started": True,
        "redis_password": "********",
    }
    assert PASSWORD not in conf.humanize(with_defaults=True)
    assert conf.table(censored=False)["broker_url"] == URL
    assert len(conf.table(with_defaults=True)) > 200


def test_every_setting_shown_has_an_origin() -> None:
    conf = settings({"KERNEL_TASK_SERIALIZER": "yaml"}, worker_prefetch_multiplier=1, task_track_started=True)
    origins = {name: conf.origin(name) for name in conf.table(with_defaults=True)}
    assert origins["worker_prefetch_multiplier"] == origins["task_track_started"] == "celery configuration"
    assert origins["task_serializer"] == "environment KERNEL_TASK_SERIALIZER"
    assert origins["worker_direct"] == origins["task_acks_late"] == "default"


def test_the_helpers_of_celerys_own_object() -> None:
    conf = settings(worker_concurrency=2)
    assert conf.get_by_parts("worker", "concurrency") == conf.find_value_for_key("concurrency", "worker") == 2
    assert conf.first("broker_host", "broker_url") == "amqp://guest:guest@localhost:5672//"
    assert conf.value_set_for("CELERYD_CONCURRENCY")
    assert conf.without_defaults() == {"worker_concurrency": 2}
    assert conf.setdefault("timezone", "UTC") == "UTC"
    assert conf.finalize().changes == {"timezone": "UTC"}
    assert dict(conf)["worker_concurrency"] == 2
