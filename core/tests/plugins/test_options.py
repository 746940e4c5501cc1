"""Options against what a plugin declares."""

from dataclasses import replace

import pytest

from kernel.contracts.manifest import Option
from kernel.engine.broker_options import OPTION_OF, broker_options
from kernel.errors import PluginError
from kernel.model.config import Config
from kernel.runtime.plugins import check_options

DECLARED = {
    "visibility_timeout": Option(float, 30.0, "seconds a delivery stays hidden"),
    "region": Option((str, type(None)), None, "where the queues are"),
    "batch": Option(int, 10, "messages per request"),
    "flag": Option(bool, False, "whether"),
    "token": Option(str, None, "who asks", secret=True),
    "extra": Option(object, None, "anything"),
}


def check(**given: object) -> dict[str, object]:
    return check_options("broker.zoo", DECLARED, given, setting="broker_transport_options")


def test_defaults_fill_what_is_not_given():
    expected = {"visibility_timeout": 30.0, "region": None, "batch": 3, "flag": False, "token": None, "extra": None}
    assert check(batch=3) == expected


@pytest.mark.parametrize(
    "given",
    [{"visibility_timeout": 5}, {"region": None}, {"flag": True}, {"token": None}, {"extra": True}, {"extra": 1}],
)
def test_accepted(given):
    assert check(**given) | given == check(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"visibility_timeout": "30"}, "takes float, not '30' (str)"),
        ({"batch": 1.5}, "takes int, not 1.5 (float)"),
        ({"batch": True}, "takes int, not True (bool)"),
        ({"batch": None}, "takes int, not None (NoneType)"),
        ({"flag": 1}, "takes bool, not 1 (int)"),
        ({"region": 3}, "takes str or NoneType, not 3 (int)"),
    ],
)
def test_another_type(given, said):
    with pytest.raises(PluginError) as caught:
        check(**given)
    assert caught.value.code == "E106"
    assert said in str(caught.value)
    assert f"broker_transport_options.{next(iter(given))}:" in str(caught.value)
    assert caught.value.plugin == "broker.zoo"


def test_a_secret_is_not_shown():
    with pytest.raises(PluginError) as caught:
        check(token=b"hunter2")
    assert "hunter2" not in caught.value.one_line()
    assert "a secret value" in str(caught.value)


def test_unknown_options_name_the_nearest():
    with pytest.raises(PluginError, match=r"broker_transport_options.visibility_timeot") as caught:
        check(visibility_timeot=3)
    assert caught.value.cure == "Did you mean 'visibility_timeout'?"
    with pytest.raises(PluginError) as caught:
        check(zzz=3)
    assert "batch, extra, flag" in caught.value.cure
    with pytest.raises(PluginError) as caught:
        check_options("broker.zoo", {}, {"zzz": 3})
    assert caught.value.cure == "Plugin 'broker.zoo' takes no options."


BROKERS = frozenset({"heartbeat", "queue_type", "other"})


def test_settings_that_are_options_of_the_broker():
    config = Config(broker_heartbeat=10, task_default_queue_type="quorum", broker_transport_options={"other": 1})
    found = broker_options("broker.zoo", BROKERS, config)
    assert found == {"heartbeat": 10, "queue_type": "quorum", "other": 1}
    assert broker_options("broker.zoo", (), Config()) == {}


def test_a_setting_that_the_broker_has_no_option_for_is_refused():
    with pytest.raises(PluginError, match="broker_login_method = 'EXTERNAL' needs option 'login_method'") as caught:
        broker_options("broker.zoo", BROKERS, Config(broker_login_method="EXTERNAL"))
    assert caught.value.code == "E107"


def test_what_is_said_twice_must_be_the_same():
    said = Config(broker_heartbeat=10, broker_transport_options={"heartbeat": 10})
    assert broker_options("broker.zoo", BROKERS, said) == {"heartbeat": 10}
    with pytest.raises(PluginError, match="heartbeat = 10, and broker_heartbeat = 20") as caught:
        broker_options("broker.zoo", BROKERS, replace(said, broker_heartbeat=20))
    assert caught.value.code == "E106"


def test_every_such_setting_is_one_of_the_table():
    assert all(hasattr(Config(), setting) for setting in OPTION_OF)
