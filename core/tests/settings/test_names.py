"""Unknown names, Celery's names, and the ways to reach a setting."""

from dataclasses import fields

import pytest

from kernel.app.celery_names import CELERY_ONLY, name_of_today
from kernel.app.setting_table import SETTINGS
from kernel.errors import ImproperlyConfigured, UnknownSetting
from kernel.model.config import Config


def refused(action):
    with pytest.raises(UnknownSetting) as caught:
        action()
    assert "\n" not in caught.value.one_line()
    return caught.value.one_line()


def test_the_table_is_all_of_config():
    assert list(SETTINGS) == [field.name for field in fields(Config)]


def test_attribute_item_update_and_iteration(make):
    conf = make()
    conf.task_serializer = "a"
    assert conf["task_serializer"] == conf.get("task_serializer") == "a"
    conf["task_serializer"] = "b"
    assert conf.task_serializer == "b"
    conf.update(task_serializer="c", timezone="UTC")
    conf.update({"enable_utc": False}, task_compression="zlib")
    assert (conf.task_serializer, conf.timezone, conf.enable_utc, conf.task_compression) == ("c", "UTC", False, "zlib")
    assert "task_serializer" in conf
    assert "nonsense" not in conf
    assert list(conf) == list(SETTINGS)
    assert len(conf) == len(SETTINGS)
    assert dict(conf)["task_serializer"] == "c"


def test_update_changes_all_or_nothing(make):
    conf = make()
    with pytest.raises(ImproperlyConfigured):
        conf.update(task_serializer="yaml", worker_concurrency="many")
    assert conf.task_serializer == "json"


def test_a_typing_error_is_answered_with_near_names(make):
    conf = make()
    assert "Did you mean 'task_serializer'" in refused(lambda: conf.update(task_serialiser="json"))
    assert "Did you mean 'task_serializer'" in refused(lambda: conf.task_serialiser)
    assert "Did you mean 'task_serializer'" in refused(lambda: conf["task_serialiser"])
    assert "Did you mean 'task_serializer'" in refused(lambda: conf.origin("task_serialiser"))
    assert "(constructor)" in refused(lambda: make({"task_serialiser": "json"}))
    assert "'kernel config show --all' lists every setting." in refused(lambda: conf.update(qqq=1))


def test_an_unknown_name_is_like_a_missing_attribute(make):
    conf = make()
    assert not hasattr(conf, "nonsense")
    assert getattr(conf, "nonsense", 3) == conf.get("nonsense", 3) == 3
    assert not hasattr(conf, "__deepcopy__")


@pytest.mark.parametrize("name", sorted(CELERY_ONLY))
def test_every_setting_without_effect_says_what_to_do(name, make):
    message = refused(lambda: make().update({name: 1}))
    assert message.startswith(f"{name} (app.conf) is a setting of Celery that this version does not act on.")
    assert message.endswith(".")
    assert CELERY_ONLY[name] in message
    assert name not in SETTINGS


def test_the_prefetch_multiplier_names_what_bounds_hand_outs(make):
    assert "worker_handout_max" in refused(lambda: make().update(worker_prefetch_multiplier=4))


def test_advice_names_settings_that_exist():
    words = {word.strip(",;:.") for advice in CELERY_ONLY.values() for word in advice.split()}
    named = {word for word in words if "_" in word}
    assert named
    assert named <= set(SETTINGS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CELERY_TASK_SERIALIZER", "task_serializer"),
        ("CELERYD_CONCURRENCY", "worker_concurrency"),
        ("CELERYD_MAX_TASKS_PER_CHILD", "worker_max_tasks_per_child"),
        ("CELERYD_TASK_TIME_LIMIT", "task_time_limit"),
        ("CELERYD_TASK_SOFT_TIME_LIMIT", "task_soft_time_limit"),
        ("CELERYD_LOG_FORMAT", "worker_log_format"),
        ("CELERYD_TASK_LOG_FORMAT", "worker_task_log_format"),
        ("CELERY_TASK_RESULT_EXPIRES", "result_expires"),
        ("CELERY_RESULT_SERIALIZER", "result_serializer"),
        ("CELERY_ACCEPT_CONTENT", "accept_content"),
        ("CELERY_ALWAYS_EAGER", "task_always_eager"),
        ("CELERY_EAGER_PROPAGATES_EXCEPTIONS", "task_eager_propagates"),
        ("CELERY_IGNORE_RESULT", "task_ignore_result"),
        ("CELERY_DEFAULT_QUEUE", "task_default_queue"),
        ("CELERY_ROUTES", "task_routes"),
        ("CELERY_QUEUES", "task_queues"),
        ("CELERY_ANNOTATIONS", "task_annotations"),
        ("CELERY_ACKS_LATE", "task_acks_late"),
        ("CELERY_MESSAGE_COMPRESSION", "task_compression"),
        ("CELERY_SEND_EVENTS", "worker_send_task_events"),
        ("CELERY_SEND_TASK_SENT_EVENT", "task_send_sent_event"),
        ("CELERY_TRACK_STARTED", "task_track_started"),
        ("CELERY_TIMEZONE", "timezone"),
        ("CELERY_IMPORTS", "imports"),
        ("CELERY_EVENT_SERIALIZER", "event_serializer"),
        ("CELERY_DISABLE_RATE_LIMITS", "worker_disable_rate_limits"),
        ("CELERY_REDIRECT_STDOUTS_LEVEL", "worker_redirect_stdouts_level"),
        ("BROKER_URL", "broker_url"),
        ("BROKER_POOL_LIMIT", "broker_pool_limit"),
        ("CELERY_TASK_PUBLISH_RETRY_POLICY", "task_publish_retry_policy"),
        ("CELERYBEAT_SCHEDULE", "beat_schedule"),
        ("CELERYD_PREFETCH_MULTIPLIER", "worker_prefetch_multiplier"),
        ("CELERY_MAX_CACHED_RESULTS", "result_cache_max"),
        ("CELERY_RESULT_DB_TABLE_NAMES", "database_table_names"),
        ("DATABASES", None),
        ("DEBUG", None),
        ("Mixed_Case", None),
        ("task_serializer", None),
    ],
)
def test_old_upper_case_names(old, new, make):
    assert name_of_today(old, SETTINGS) == new
    if new is not None:
        message = refused(lambda: make().update({old: 1}))
        assert message.startswith(f"{old} (app.conf)")
        assert new in message


def test_an_upper_case_name_is_told_its_spelling(make):
    message = refused(lambda: make().update(TASK_SERIALIZER="json"))
    assert message == "TASK_SERIALIZER (app.conf) is not the spelling of a setting. Write task_serializer instead."
