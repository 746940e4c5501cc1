"""A value in, decisions out: what each setting of Celery becomes."""

import ssl
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from plugin_compat_celery.adapter.configuration import Verdict, translate

TAKEN, TRANSLATED, UNSUPPORTED = Verdict.TAKEN, Verdict.TRANSLATED, Verdict.UNSUPPORTED
CA = "/etc/ca.pem"
REDIS = {"broker_url": "redis://h/1"}
MONGO = {"host": "m", "port": 1, "database": "d", "options": {"w": 1}}
AMQP = {"broker_url": "amqp://u:p@h//"}


def verdicts(given: dict[str, Any]) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in translate(given).decisions}


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({"task_serializer": "yaml"}, {"task_serializer": "yaml"}),
        ({"CELERYD_CONCURRENCY": 3}, {"worker_concurrency": 3}),
        ({"CELERY_TASK_RESULT_EXPIRES": timedelta(hours=1)}, {"result_expires": timedelta(hours=1)}),
        ({"imports": "proj.tasks"}, {"imports": ("proj.tasks",)}),
        ({"task_ignore_result": 1}, {"task_ignore_result": True}),
        ({"worker_concurrency": "4"}, {"worker_concurrency": 4}),
        ({"worker_concurrency": 0}, {"worker_concurrency": None}),
        ({"worker_max_tasks_per_child": 0}, {"worker_max_tasks_per_child": None}),
        ({"broker_pool_limit": 0}, {"broker_pool_limit": None}),
        ({"timezone": ZoneInfo("Europe/Berlin")}, {"timezone": "Europe/Berlin"}),
        ({"timezone": UTC}, {"timezone": "UTC"}),
        ({"worker_redirect_stdouts_level": "info"}, {"worker_redirect_stdouts_level": "INFO"}),
        ({"worker_redirect_stdouts_level": 10}, {"worker_redirect_stdouts_level": "DEBUG"}),
        ({"worker_pool": "processes"}, {"worker_pool": "prefork"}),
        ({"worker_disable_prefetch": True}, {"worker_handout_max": 1}),
        ({"task_retry_on_worker_lost": True}, {"task_reject_on_worker_lost": True}),
        ({"task_reject_on_worker_lost": None}, {}),
        ({"worker_handout_max": 5}, {"worker_handout_max": 5}),
        ({"worker_prefetch_multiplier": 1}, {}),
        ({"my_own": 1}, {}),
        (
            {"task_queues": {"hi": {"exchange": "hi", "binding_key": "hi"}}},
            {"task_queues": ({"name": "hi", "exchange": "hi", "routing_key": "hi"},)},
        ),
        ({"task_queues": ["a", "b"]}, {"task_queues": ("a", "b")}),
        (
            {"task_default_queue_type": "quorum", "task_create_missing_queue_type": "quorum"},
            {"task_default_queue_type": "quorum"},
        ),
        (
            {"task_default_queue_type": "quorum", "task_default_queue": "q"},
            {"task_queues": ({"name": "q", "arguments": {"x-queue-type": "quorum"}},), "task_default_queue": "q"},
        ),
    ],
)
def test_settings(given: dict[str, Any], settings: dict[str, Any]) -> None:
    assert dict(translate(given).settings) == settings


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"broker_url": "redis://h/1"}, "redis://h/1"),
        ({"broker_url": "pyamqp://u:p@h//"}, "amqp://u:p@h//"),
        ({"broker_url": "librabbitmq://h"}, "amqp://h"),
        ({"broker_url": "rabbit.local"}, "amqp://rabbit.local"),
        ({"broker_url": "memory"}, "memory://"),
        ({"broker_url": ["amqp://a", "amqp://b"]}, "amqp://a;amqp://b"),
        ({"broker_read_url": "redis://h/2", "broker_write_url": "redis://h/2"}, "redis://h/2"),
        ({"BROKER_HOST": "h", "BROKER_PORT": 5673, "BROKER_USER": "u", "BROKER_PASSWORD": "p/w"}, "amqp://u:p%2Fw@h:5673"),
        ({"broker_transport": "redis", "broker_host": "h", "broker_vhost": 3}, "redis://h/3"),
        ({"broker_vhost": "/own"}, "amqp://localhost/%2Fown"),
        ({**AMQP, "broker_use_ssl": True}, "amqps://u:p@h//"),
        ({**AMQP, "broker_use_ssl": {"ca_certs": CA, "cert_reqs": ssl.CERT_REQUIRED}}, f"amqps://u:p@h//?ssl_ca_certs={CA}"),
        ({**REDIS, "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_NONE}}, "rediss://h/1?ssl_cert_reqs=none"),
        ({**REDIS, "broker_use_ssl": False}, "redis://h/1"),
        ({"broker_url": "sentinel://a;sentinel://b", "broker_use_ssl": True}, "rediss+sentinel://a;rediss+sentinel://b"),
    ],
)  # fmt: skip
def test_the_broker_is_one_url(given: dict[str, Any], url: str) -> None:
    translation = translate(given)
    assert translation.settings["broker_url"].replace("%2Fetc%2Fca.pem", CA) == url
    assert translation.unsupported == ()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"result_backend": "rpc"}, "rpc://"),
        ({"result_backend": "rpc://guest@h//"}, "rpc://"),
        ({"result_backend": "redis"}, "redis://localhost/0"),
        (
            {"result_backend": "redis", "redis_host": "h", "redis_port": 7, "redis_db": 2, "redis_password": "p"},
            "redis://:p@h:7/2",
        ),
        ({"result_backend": "redis://h", "redis_backend_use_ssl": {"ssl_cert_reqs": "CERT_NONE"}}, "rediss://h?ssl_cert_reqs=none"),
        ({"result_backend": "cache+memory://"}, "memory://"),
        ({"result_backend": "cache", "cache_backend": "memcached://a:1/"}, "cache+memcached://a:1/"),
        ({"result_backend": "db+sqlite:///r.db"}, "sqlite:///r.db"),
        ({"result_backend": "database", "database_url": "sqlite:///r.db"}, "sqlite:///r.db"),
        ({"result_backend": "disabled://"}, "disabled"),
        ({"result_backend": None}, None),
        ({"result_backend": "celery.backends.redis:RedisBackend"}, "redis://localhost/0"),
        ({"result_backend": "proj.store:Store"}, "celery-backend:proj.store:Store"),
        ({"result_backend": "own://x", "override_backends": {"own": "p:C"}}, "celery-backend:p:C?url=own%3A%2F%2Fx"),
        ({"result_backend": "mongodb", "mongodb_backend_settings": MONGO}, "mongodb://m:1/d?w=1"),
    ],
)  # fmt: skip
def test_the_result_backend_is_one_url(given: dict[str, Any], url: str | None) -> None:
    translation = translate(given)
    assert translation.settings["result_backend"] == url
    assert translation.unsupported == ()


def test_options_of_mongodb_become_those_of_the_plugin() -> None:
    own = {"database": "d", "max_pool_size": 3, "taskmeta_collection": "celery_taskmeta"}
    translation = translate({"result_backend": "mongodb://h", "mongodb_backend_settings": own})
    assert translation.settings["result_backend_transport_options"] == {"database": "d", "max_pool_size": 3}
    assert translation.unsupported == ()


def test_options_of_transports_are_judged_one_by_one() -> None:
    options = {
        "visibility_timeout": 60,
        "sep": ":",
        "queue_order_strategy": "priority",
        "client_name": "x",
        "lease_s": 9,
    }
    translation = translate({**REDIS, "broker_transport_options": options})
    assert translation.settings["broker_transport_options"] == {"visibility_timeout": 60, "lease_s": 9}
    assert verdicts({**REDIS, "broker_transport_options": options}) == {
        "broker_url": TAKEN,
        "broker_transport_options": UNSUPPORTED,
        "broker_transport_options.visibility_timeout": TAKEN,
        "broker_transport_options.sep": UNSUPPORTED,
        "broker_transport_options.queue_order_strategy": TRANSLATED,
        "broker_transport_options.client_name": UNSUPPORTED,
        "broker_transport_options.lease_s": TAKEN,
    }


def test_options_of_sqs() -> None:
    options = {"region": "eu-1", "wait_time_seconds": 5, "predefined_queues": {"q": {"url": "http://q"}}}
    translation = translate({"broker_url": "sqs://", "broker_transport_options": options})
    expected = {"region": "eu-1", "wait_time_s": 5, "predefined_queues": {"q": "http://q"}}
    assert translation.settings["broker_transport_options"] == expected
    assert translation.unsupported == ()


def test_a_retry_policy_of_the_backend_becomes_settings() -> None:
    policy = {"retry_policy": {"max_retries": 4, "interval_max": 2.5}, "global_keyprefix": "p"}
    settings = translate({"result_backend": "redis://h", "result_backend_transport_options": policy}).settings
    assert settings["result_backend_max_retries"] == 4
    assert settings["result_backend_max_sleep_between_retries_ms"] == 2500
    assert settings["result_backend_transport_options"] == {"global_keyprefix": "p"}


@pytest.mark.parametrize(
    "given",
    [
        {"s3_bucket": "b"},
        {"result_backend": "s3://b"},
        {"result_backend": "db+postgresql://h/d"},
        {"worker_deduplicate_successful_tasks": True},
        {"worker_pool": "gevent"},
        {"worker_autoscaler": "proj:Scaler"},
        {"task_remote_tracebacks": True},
        {"broker_failover_strategy": "shuffle"},
        {"broker_read_url": "redis://a", "broker_write_url": "redis://b"},
        {**AMQP, "broker_use_ssl": {"cert_reqs": ssl.CERT_NONE}},
        {"broker_url": "memory://", "broker_use_ssl": True},
        {"task_create_missing_queue_type": "quorum"},
        {"redis_client_name": "x"},
    ],
)
def test_what_has_no_effect_is_said_with_advice(given: dict[str, Any]) -> None:
    found = translate(given).unsupported
    assert found
    assert all(each.note for each in found)


def test_a_name_of_nobody_is_kept_and_the_nearest_one_offered() -> None:
    (decision,) = translate({"task_serialiser": "json"}).decisions
    assert decision.verdict is Verdict.UNKNOWN
    assert "task_serializer" in decision.note
