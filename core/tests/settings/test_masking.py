"""No secret leaves through any output: table, text, repr, errors, the command line."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from kernel.app.setting_table import SETTINGS
from kernel.app.settings import Settings
from kernel.cli.config import config_group
from kernel.errors import ImproperlyConfigured
from kernel.model.masking import MASK, is_secret_name, mask_text, masked

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amqp://user:hunter2@host:5672/v", f"amqp://user:{MASK}@host:5672/v"),
        ("redis://:hunter2@host/0", f"redis://:{MASK}@host/0"),
        ("amqp://u:hun/ter2@host", f"amqp://u:{MASK}@host"),
        ("amqp://u:hun@ter2@host", f"amqp://u:{MASK}@host"),
        ("amqp://u:hun,ter;2@host", f"amqp://u:{MASK}@host"),
        ("amqp://u:hunter 2@host", f"amqp://u:{MASK}@host"),
        ("amqp://a:hunter2@h1;amqp://b:hunter2@h2", f"amqp://a:{MASK}@h1;amqp://b:{MASK}@h2"),
        ("sqs://AKIA:hunter2@", f"sqs://AKIA:{MASK}@"),
        ("redis://h/0?password=hunter2&db=1", f"redis://h/0?password={MASK}&db=1"),
        ("amqp://host:5672//", "amqp://host:5672//"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("sqlite:///kernel.sqlite3", "sqlite:///kernel.sqlite3"),
        ("plain text: a@b", "plain text: a@b"),
    ],
)
def test_urls(text, expected):
    assert mask_text(text) == expected


@pytest.mark.parametrize("text", ["user:hunter2@host", "host=h password=hunter2", "amqp:user:hunter2@host"])
def test_what_ought_to_be_a_url(text):
    assert SECRET not in mask_text(text, secret=True)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("PASSWD", True),
        ("db_pass", True),
        ("aws_secret_access_key", True),
        ("token", True),
        ("api_key", True),
        ("credentials", True),
        ("Authorization", True),
        ("set-cookie", True),
        ("routing_key", False),
        ("task_default_routing_key", False),
        ("global_keyprefix", False),
        ("keyspace", False),
        ("passive", False),
        ("compass", False),
        ("visibility_timeout", False),
        (3, False),
    ],
)
def test_names(name, secret):
    assert is_secret_name(name) is secret


def test_few_settings_of_ours_are_masked_by_their_names():
    # The path of a private key may as well stay hidden.
    assert [name for name in SETTINGS if is_secret_name(name)] == ["security_key", "security_key_password"]


class Options:
    def __repr__(self):
        return f"Options(host='h', password='{SECRET}', token={SECRET})"


def everything(conf):
    yield repr(conf)
    yield conf.humanize()
    yield conf.humanize(with_defaults=True)
    yield repr(conf.table())
    yield repr(conf.table(with_defaults=True))
    for arguments in (["show"], ["show", "--all", "--origin"], ["show", "--output", "json"], ["show", "broker_url"]):
        result = CliRunner().invoke(config_group, arguments, obj=conf, catch_exceptions=False)
        assert result.exit_code == 0
        yield result.output


SECRETS = {
    "broker_url": [f"amqp://u:{SECRET}@h//", f"amqp://u:{SECRET}@h;redis://:{SECRET}@h", f"u:{SECRET}@h"],
    "result_backend": [f"redis://u:{SECRET}@h/0?ssl_key={SECRET}"],
    "broker_transport_options": [
        {"password": SECRET, "sentinel_kwargs": {"Password": SECRET}},
        {"client": [{"api_token": SECRET}], "url": f"http://u:{SECRET}@proxy", "object": Options()},
        {"predefined_queues": {"q": {"secret_access_key": SECRET, "access_key_id": 1234}}},
    ],
    "task_routes": [[f"http://u:{SECRET}@h", Options()]],
    "task_queues": [[{"name": "a", "arguments": {"x-token": SECRET}}]],
    "worker_log_format": [f"see http://u:{SECRET}@logs"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SECRETS.items() for value in values])
def test_nothing_that_is_printed_shows_a_secret(name, value, make):
    conf = make({name: value})
    conf.snapshot()
    for text in everything(conf):
        assert SECRET not in text
    assert MASK in conf.humanize()
    assert SECRET in repr(conf.table(censored=False)) + conf.humanize(censored=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broker_url", SECRET.encode()),
        ("broker_url", [f"amqp://u:{SECRET}@h", 5]),
        ("broker_url", {"password": SECRET}),
        ("broker_url", Options()),
        ("result_backend", [f"redis://:{SECRET}@h"]),
        ("broker_transport_options", SECRET),
        ("broker_transport_options", f"password={SECRET}"),
        ("broker_transport_options", [{"password": SECRET}]),
        ("task_publish_retry_policy", {"password": SECRET}),
        ("worker_concurrency", f"redis://:{SECRET}@h"),
        ("worker_concurrency", {"token": SECRET}),
        ("worker_concurrency", Options()),
        ("task_queues", [3, {"password": SECRET}]),
    ],
)
def test_no_error_shows_a_secret(name, value, make):
    with pytest.raises(ImproperlyConfigured) as caught:
        make().update({name: value})
    assert SECRET not in caught.value.one_line()


@pytest.mark.parametrize(
    "environ",
    [
        {"KERNEL_BROKER_TRANSPORT_OPTIONS": f'{{"password": "{SECRET}"'},
        {"KERNEL_BROKER_TRANSPORT_OPTIONS": f"password={SECRET}"},
        {"KERNEL_TASK_PUBLISH_RETRY_POLICY__PASSWORD": SECRET},
        {"KERNEL_TASK_QUEUES": f"[{SECRET}"},
        {"KERNEL_BROKER_UR": f"amqp://u:{SECRET}@h"},
        {"KERNEL_BROKER_URL__PASSWORD": SECRET},
        {"KERNEL_BROKER_URL": f"amqp://u:{SECRET}@h", "KERNEL_BROKER_URL_FILE": "/nowhere"},
    ],
)
def test_no_error_of_the_environment_shows_a_secret(environ, make):
    with pytest.raises(ImproperlyConfigured) as caught:
        make(**environ).snapshot()
    assert SECRET not in caught.value.one_line()


def test_a_file_with_a_secret_that_is_no_toml(make, tmp_path):
    (tmp_path / "kernel.toml").write_text(f'[kernel]\nbroker_url = amqp://u:{SECRET}@h"\n')
    with pytest.raises(ImproperlyConfigured) as caught:
        make().snapshot()
    assert SECRET not in caught.value.one_line()


@given(st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=1, max_size=12))
def test_any_password_in_a_url_is_masked(password):
    marked = f"Xy{password}Yx"
    shown = mask_text(f"amqp://user:{marked}@host:5672/path", secret=True)
    assert shown == f"amqp://user:{MASK}@host:5672/path"


def test_masking_keeps_the_shape():
    value = {"a": [1, None, True, 2.5], "b": ("x", {"key": ""}), "password": None, "pin_token": 5}
    assert masked(value) == {"a": [1, None, True, 2.5], "b": ("x", {"key": ""}), "password": None, "pin_token": MASK}


def test_json_of_the_command_line_is_json(make):
    conf = make({"broker_url": f"amqp://u:{SECRET}@h", "task_routes": {"a": print}})
    for arguments in (["show", "--all", "--output", "json"], ["show", "--output", "json", "--origin", "broker_url"]):
        shown = json.loads(CliRunner().invoke(config_group, arguments, obj=conf).output)
        assert "broker_url" in shown
    assert shown == {"broker_url": {"value": f"amqp://u:{MASK}@h", "origin": "constructor"}}


def test_settings_that_were_not_read_are_not_read_for_a_repr(make):
    assert repr(make(KERNEL_WORKER_CONCURRENCY="nonsense")) == "<Settings, not read yet>"
    assert isinstance(make(), Settings)
