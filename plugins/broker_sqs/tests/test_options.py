import pytest

from kernel.contracts import PluginContext
from kernel.errors import Code, DriverError
from plugin_broker_sqs.broker import SqsBroker
from plugin_broker_sqs.options import read_settings


def settings(url, **options):
    return read_settings(url, options, "kernel")


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("sqs://", None),
        ("sqs://key:secret@", None),
        ("sqs://key:secret@vpce-1.sqs.eu-west-1.vpce.amazonaws.com", "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"),
        ("sqs://key:secret@host:443", "https://host:443"),
        ("sqs://key:secret@localhost:4566/", "http://localhost:4566"),
        ("sqs://key:secret@localhost:4566?tls=true", "https://localhost:4566"),
        ("sqs://host?tls=false", "http://host"),
        ("sqs://[::1]:4566", "http://[::1]:4566"),
    ],
)
def test_endpoints(url, endpoint):
    assert settings(url).endpoint == endpoint


def test_credentials_are_quoted_and_hidden():
    found = settings("sqs://AKIA:a%2Fb%2Bc@?region=eu-west-1", region="us-west-2")
    assert (found.key, found.secret, found.region) == ("AKIA", "a/b+c", "eu-west-1")
    assert "a/b" not in repr(found)
    assert "a%2Fb" not in repr(found)
    assert "a%2Fb" not in repr(SqsBroker("sqs://AKIA:a%2Fb%2Bc@", {}, PluginContext()))


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("amqp://", {}),
        ("sqs://host:port", {}),
        ("sqs://key@", {}),
        ("sqs://host/path", {}),
        ("sqs://?regoin=x", {}),
        ("sqs://host?tls=maybe", {}),
        ("sqs://", {"wait_time_s": 0}),
        ("sqs://", {"wait_time_s": 21}),
        ("sqs://", {"max_message_bytes": 10}),
        ("sqs://", {"lease_s": 0}),
        ("sqs://", {"predefined_queues": {"a": 5}}),
        ("sqs://", {"predefined_queues": {"a": "no-url"}}),
    ],
)
def test_what_cannot_be_is_refused(url, options):
    with pytest.raises(DriverError) as caught:
        settings(url, **options)
    assert caught.value.code is Code.INVALID
    assert caught.value.cure


def test_predefined_queues_as_celerys_users_write_them():
    found = settings("sqs://", predefined_queues={"a": {"url": "https://q/1/a"}, "b": "https://q/1/b"})
    assert found.predefined_queues == {"a": "https://q/1/a", "b": "https://q/1/b"}


def test_claims_follow_the_kind_of_queues():
    standard = SqsBroker("sqs://", {}, PluginContext()).capabilities()
    fifo = SqsBroker("sqs://", {"fifo": True}, PluginContext()).capabilities()
    assert (standard.delay, standard.fifo_group, standard.dedup) == (True, False, False)
    assert (fifo.delay, fifo.fifo_group, fifo.dedup) == (False, True, True)
    assert standard.limits.max_delay_s == 900.0
    assert not SqsBroker("sqs://", {}, PluginContext("celery")).capabilities().binary_headers
