"""Every setting takes its default and values of its type, and nothing else, from every side."""

import json
import math
from datetime import timedelta
from types import NoneType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.app.setting_table import SETTINGS
from kernel.app.setting_types import FrozenDict
from kernel.app.settings import Settings
from kernel.contracts.router import Router
from kernel.errors import ImproperlyConfigured

NAMES = list(SETTINGS)


def fresh(**environ):
    return Settings(environ=environ, use_files=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_accepts_its_default(name):
    conf = fresh()
    conf[name] = SETTINGS[name].default
    assert conf[name] == SETTINGS[name].default
    assert conf.origin(name) == "app.conf"


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_rejects_a_wrong_type(name):
    conf = fresh()
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} = .* \(app\.conf\) must be .*\.$"):
        conf[name] = object()
    assert conf.origin(name) == "default"


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if not {NoneType, Any} & set(row.kinds)])
def test_only_a_setting_that_says_so_may_be_none(name):
    with pytest.raises(ImproperlyConfigured, match=name):
        fresh()[name] = None


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if {int, float} & set(row.kinds)])
def test_numbers_below_the_minimum_are_refused(name):
    with pytest.raises(ImproperlyConfigured, match=f"{name} = .* must be "):
        fresh()[name] = SETTINGS[name].minimum - 1
    assert fresh(**{f"KERNEL_{name.upper()}": "2"})[name] == 2


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if bool in row.kinds])
@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("Yes", True), ("on", True), ("false", False), ("0", False)]
)
def test_booleans_from_the_environment(name, text, value):
    assert fresh(**{f"KERNEL_{name.upper()}": text})[name] is value


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if row.choices])
def test_choices(name):
    row = SETTINGS[name]
    conf = fresh()
    for choice in row.choices:
        conf[name] = choice
        assert conf[name] == choice
        assert fresh(**{f"KERNEL_{name.upper()}": str(choice)})[name] == choice
    with pytest.raises(ImproperlyConfigured, match=f"{name} = 'nonsense' .* must be "):
        conf[name] = "nonsense"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("accept_content", ["json", "yaml"], ("json", "yaml")),
        ("accept_content", {"yaml", "json"}, ("json", "yaml")),
        ("broker_url", ["memory://", "memory://b"], ("memory://", "memory://b")),
        ("result_expires", timedelta(hours=1), 3600.0),
        ("result_expires", 60, 60.0),
        ("result_expires", None, None),
        ("task_time_limit", 5, 5.0),
        ("task_default_rate_limit", "10/m", "10/m"),
        ("task_default_rate_limit", 10, 10.0),
        ("worker_concurrency", "auto", "auto"),
        ("task_queues", ["a", {"name": "b"}], ("a", {"name": "b"})),
        ("task_publish_retry_policy", {"max_retries": None}, None),
        ("result_backend_max_retries", math.inf, math.inf),
    ],
)
def test_python_values(name, value, expected):
    conf = fresh()
    conf[name] = value
    if name == "task_publish_retry_policy":
        expected = {"max_retries": None, "interval_start": 0, "interval_step": 0.2, "interval_max": 1}
    assert conf[name] == expected
    assert type(conf[name]) is type(expected) or isinstance(conf[name], dict)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("accept_content", "json, yaml", ("json", "yaml")),
        ("accept_content", '["json", "yaml"]', ("json", "yaml")),
        ("accept_content", "", ()),
        ("result_accept_content", "", None),
        ("broker_url", "amqp://a;amqp://b", "amqp://a;amqp://b"),
        ("broker_url", '["memory://a", "memory://b"]', ("memory://a", "memory://b")),
        ("broker_url", "", None),
        ("timezone", "none", None),
        ("task_acks_on_failure", "off", False),
        ("task_time_limit", "1.5", 1.5),
        ("broker_pool_limit", "null", None),
        ("broker_transport_options", '{"visibility_timeout": 60}', {"visibility_timeout": 60}),
        ("task_default_rate_limit", "10/m", "10/m"),
        ("task_default_rate_limit", "10", 10.0),
        ("task_default_delivery_mode", "1", 1),
        ("worker_concurrency", "auto", "auto"),
        ("worker_concurrency", "4", 4),
        ("task_routes", '{"tasks.add": "low"}', {"tasks.add": "low"}),
        ("task_routes", "proj.routes.route", "proj.routes.route"),
        ("task_queues", "a,b", ("a", "b")),
        ("task_queues", '[{"name": "a"}]', ({"name": "a"},)),
        ("worker_log_format", "none", "none"),
    ],
)
def test_text_of_the_environment(name, text, expected):
    assert fresh(**{f"KERNEL_{name.upper()}": text})[name] == expected


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("worker_concurrency", True, "must be a whole number, 'auto' or None."),
        ("worker_concurrency", 2.0, "must be a whole number, 'auto' or None."),
        ("task_acks_late", 1, "must be true or false."),
        ("task_time_limit", math.nan, "must be at least 0."),
        ("task_time_limit", timedelta(1), "must be a number or None."),
        ("accept_content", "json", "must be a list of texts."),
        ("accept_content", ["json", 1], "must be a list of texts."),
        ("timezone", "Europe/Berln", "Did you mean 'Europe/Berlin'"),
        ("namespace", "", "must be letters"),
        ("namespace", "a b", "must be letters"),
        ("task_queues", [3], "must be a list of names"),
        ("task_queues", [{"nam": "x"}], "must give every queue a 'name'"),
        ("task_routes", 3, "must be a mapping, a list, a function, a Router, a dotted name or None."),
        ("broker_transport_options", {1: 2}, "must be a mapping."),
        ("task_publish_retry_policy", {"max_retry": 1}, "has no key 'max_retry'. Did you mean 'max_retries'?"),
        ("task_publish_retry_policy", {"max_retries": -1}, "key 'max_retries' must be"),
        ("task_publish_retry_policy", {"interval_step": "x"}, "key 'interval_step' must be"),
        ("task_publish_retry_policy", {"retry_errors": (3,)}, "key 'retry_errors' must be"),
    ],
)
def test_what_is_refused_and_how(name, value, says):
    with pytest.raises(ImproperlyConfigured) as caught:
        fresh()[name] = value
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{name} = ")
    assert "\n" not in caught.value.one_line()


def test_retry_errors_are_exception_classes():
    conf = fresh()
    conf.task_publish_retry_policy = {"retry_errors": (OSError, TimeoutError)}
    assert conf.task_publish_retry_policy["retry_errors"] == (OSError, TimeoutError)


def test_every_kind_of_router():
    class Answers(Router):
        def compile(self, topology):
            return lambda ref: None

    class ByMethod:
        def route_for_task(self, name, args, kwargs):
            return None

    conf = fresh()
    for router in (Answers(), ByMethod(), Answers, print, "proj.route", {"a": "b"}, [("a", "b")], (Answers(),), None):
        conf.task_routes = router
        assert conf.task_routes is router or conf.task_routes == router


def test_limits_that_contradict_each_other():
    conf = fresh(KERNEL_TASK_TIME_LIMIT="5")
    conf.task_soft_time_limit = 10
    with pytest.raises(ImproperlyConfigured, match=r"\(app\.conf\) is above .* \(environment KERNEL_TASK_TIME_LIMIT\)"):
        conf.snapshot()


def test_a_mapping_is_not_changed_in_place():
    conf = fresh()
    options = {"a": {"b": 1}}
    conf.broker_transport_options = options
    options["a"]["b"] = 2
    assert conf.broker_transport_options == {"a": {"b": 1}}
    for change in (
        lambda: conf.broker_transport_options.update(c=1),
        lambda: conf.broker_transport_options["a"].pop("b"),
        lambda: conf.result_backend_transport_options.setdefault("x", 1),
    ):
        with pytest.raises(TypeError, match="assign a new mapping"):
            change()


def test_a_frozen_mapping_is_still_a_dict():
    value = FrozenDict({"a": FrozenDict({"b": 1})})
    assert json.loads(json.dumps(value)) == value == {"a": {"b": 1}}


def error_of(action):
    """The configuration error an action ends with; None when it succeeds, and any other error is a failure."""
    try:
        action()
    except ImproperlyConfigured as error:
        return error if "\n" not in error.one_line() else pytest.fail(f"not one line: {error}")
    return None


@given(st.sampled_from(NAMES), st.text(max_size=30).filter(lambda text: "\0" not in text))
def test_any_text_of_the_environment_is_a_value_or_a_clean_error(name, text):
    error = error_of(fresh(**{f"KERNEL_{name.upper()}": text}).snapshot)
    assert error is None or name in str(error)


@given(
    st.sampled_from(NAMES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_python_value_is_taken_or_a_clean_error(name, value):
    conf = fresh()
    error = error_of(lambda: conf.update({name: value}))
    assert error is None or str(error).startswith(f"{name} = ")
    conf.humanize(with_defaults=True)
