"""Variables: names, files with secrets, single keys, aliases of Celery, and what is left alone."""

import logging

import pytest

from kernel.app.setting_table import SETTINGS
from kernel.errors import ImproperlyConfigured, UnknownSetting

SAMPLES = {"task_routes": '{"a": "b"}', "task_annotations": '{"a": {}}', "timezone": "UTC"}


def text_of(row):
    if row.name in SAMPLES:
        return SAMPLES[row.name]
    if row.choices:
        return str(row.choices[0])
    samples = {bool: "true", int: "7", float: "7", str: "x", tuple: "a,b"}
    return next((samples[kind] for kind in row.kinds if kind in samples), "{}")


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_has_its_variable(name, make, tmp_path):
    variable, text = f"KERNEL_{name.upper()}", text_of(SETTINGS[name])
    conf = make(**{variable: text})
    assert conf.origin(name) == f"environment {variable}"
    (tmp_path / "secret").write_text(f"{text}\n")
    mounted = make(**{f"{variable}_FILE": str(tmp_path / "secret")})
    assert mounted.origin(name) == f"environment {variable}_FILE"
    assert mounted[name] == conf[name]


def test_the_process_environment_is_the_default(monkeypatch):
    from kernel.app.settings import Settings

    monkeypatch.setenv("KERNEL_TASK_COMPRESSION", "zlib")
    assert Settings(use_files=False).task_compression == "zlib"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"KERNEL_BROKER_URL_FILE": "/nowhere/x"}, "names the file '/nowhere/x', which cannot be read: No such file"),
        ({"KERNEL_TASK_SERIALIZER": "json", "KERNEL_TASK_SERIALIZER_FILE": __file__}, "task_serializer is given twice"),
        ({"KERNEL_TASK_SERIALIZER__A": "1"}, "asks for a key of task_serializer, which is text"),
        ({"KERNEL_BROKER_TRANSPORT_OPTIONS__": "1"}, "asks for a key of broker_transport_options"),
        ({"KERNEL_TASK_ROUTES": "proj.routes", "KERNEL_TASK_ROUTES__A": "1"}, "is no mapping"),
        ({"KERNEL_TASK_PUBLISH_RETRY_POLICY__MAX_RETRY": "1"}, "has no key 'max_retry'"),
    ],
)
def test_what_is_refused(environ, says, make):
    with pytest.raises(ImproperlyConfigured) as caught:
        make(**environ).snapshot()
    assert says in caught.value.one_line()


def test_a_file_that_is_no_text(make, tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ImproperlyConfigured, match="it is not UTF-8 text"):
        make(KERNEL_BROKER_URL_FILE=str(tmp_path / "secret")).snapshot()


def test_single_keys_lie_over_the_whole_value_of_the_environment(make):
    conf = make(
        KERNEL_BROKER_TRANSPORT_OPTIONS='{"a": 1, "b": 2}',
        KERNEL_BROKER_TRANSPORT_OPTIONS__B="3",
        KERNEL_BROKER_TRANSPORT_OPTIONS__RoleArn="arn:x",
    )
    assert conf.broker_transport_options == {"a": 1, "b": 3, "RoleArn": "arn:x"}


def test_a_single_route(make):
    assert make(**{"KERNEL_TASK_ROUTES__tasks.add": "low"}).task_routes == {"tasks.add": "low"}


@pytest.mark.parametrize("variable", ["KERNEL_WORKER_CONCURENCY", "KERNEL_TASK_SERIALISER", "KERNEL_BROKER_URLS"])
def test_a_misspelt_variable_is_an_error(variable, make):
    with pytest.raises(UnknownSetting, match=f"no setting {variable}.* Did you mean 'KERNEL_"):
        make(**{variable: "1"}).snapshot()


def test_a_setting_of_celery_is_an_error_with_advice(make):
    with pytest.raises(UnknownSetting) as caught:
        make(KERNEL_WORKER_PREFETCH_MULTIPLIER="4").snapshot()
    assert caught.value.one_line().startswith("KERNEL_WORKER_PREFETCH_MULTIPLIER (environment) is a setting of Celery")


def test_variables_of_others_are_left_alone(make, caplog):
    with caplog.at_level(logging.INFO, "kernel"):
        conf = make(KERNEL_VERSION="6.1", KERNEL_ID="0b6c", KERNEL_USERNAME="u", KERNEL_APP="proj", KERNELS="2", X="1")
        assert conf.table() == {}
    assert [record.args for record in caplog.records] == [("KERNEL_ID",), ("KERNEL_USERNAME",), ("KERNEL_VERSION",)]


def test_celerys_variables_are_read_with_a_notice(make, caplog):
    conf = make(CELERY_BROKER_URL="memory://a", CELERY_RESULT_BACKEND="memory://b")
    assert (conf.broker_url, conf.result_backend) == ("memory://a", "memory://b")
    assert conf.origin("broker_url") == "environment CELERY_BROKER_URL"
    assert [record.message for record in caplog.records] == [
        "CELERY_BROKER_URL is read as KERNEL_BROKER_URL; please rename it.",
        "CELERY_RESULT_BACKEND is read as KERNEL_RESULT_BACKEND; please rename it.",
    ]
    assert {record.name for record in caplog.records} == {"kernel"}


def test_our_variable_is_stronger_than_celerys(make, caplog):
    assert make(CELERY_BROKER_URL="memory://a", KERNEL_BROKER_URL="memory://b").broker_url == "memory://b"
    assert not caplog.records
