"""Which source wins: every pair, and random sets of them."""

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.app.settings import Settings

SOURCES = ["command line", "app.conf", "constructor", "environment", "object", "file", "pyproject", "defaults"]
ORIGINS = {
    "environment": "environment KERNEL_TASK_SERIALIZER",
    "object": "config_from_object SimpleNamespace",
    "file": "kernel.toml",
    "pyproject": "pyproject.toml [tool.kernel]",
    "defaults": "add_defaults",
}


def built(sources, cwd):
    """Settings where each source gives its own name as the task serializer; given weakest last, or in any order."""
    sources = list(sources)
    environ = {"KERNEL_TASK_SERIALIZER": "environment"} if "environment" in sources else {}
    constructor = {"task_serializer": "constructor"} if "constructor" in sources else {}
    conf = Settings(constructor, environ=environ, cwd=cwd)
    for source in sources:
        match source:
            case "command line":
                conf.use_command_line({"task_serializer": source, "timezone": None})
            case "app.conf":
                conf.task_serializer = source
            case "object":
                conf.config_from_object(SimpleNamespace(task_serializer=source))
            case "file":
                (cwd / "kernel.toml").write_text('[kernel]\ntask_serializer = "file"\n')
            case "pyproject":
                (cwd / "pyproject.toml").write_text('[tool.kernel]\ntask_serializer = "pyproject"\n')
            case "defaults":
                conf.add_defaults(lambda: {"task_serializer": "defaults"})
    return conf


@pytest.mark.parametrize(("strong", "weak"), list(itertools.combinations(SOURCES, 2)))
@pytest.mark.parametrize("strong_first", [True, False])
def test_of_two_sources_the_stronger_wins(strong, weak, strong_first, tmp_path):
    conf = built([strong, weak] if strong_first else [weak, strong], tmp_path)
    assert conf.task_serializer == strong
    assert conf.origin("task_serializer") == ORIGINS.get(strong, strong)


@given(order=st.permutations(SOURCES), count=st.integers(1, len(SOURCES)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_strongest_of_any_set_in_any_order_wins(order, count, tmp_path_factory):
    given_ = order[:count]
    conf = built(given_, tmp_path_factory.mktemp("cwd"))
    assert conf.task_serializer == min(given_, key=SOURCES.index)


def test_what_no_source_gives_is_the_default(make):
    conf = make()
    assert conf.task_serializer == "json"
    assert conf.origin("task_serializer") == "default"


def test_earlier_values_survive_a_configuration_object(make):
    conf = make({"task_serializer": "constructor"})
    conf.timezone = "Europe/London"
    conf.config_from_object({"task_serializer": "object", "timezone": "UTC", "enable_utc": False})
    assert (conf.task_serializer, conf.timezone, conf.enable_utc) == ("constructor", "Europe/London", False)


def test_a_second_object_replaces_the_first(make):
    conf = make()
    conf.config_from_object({"task_serializer": "yaml"})
    assert conf.task_serializer == "yaml"
    conf.config_from_object({"task_compression": "zlib"})
    assert (conf.task_serializer, conf.task_compression) == ("json", "zlib")


def test_later_added_defaults_are_stronger(make):
    conf = make()
    conf.add_defaults({"task_serializer": "first", "timezone": "UTC"})
    conf.add_defaults({"task_serializer": "second"})
    assert (conf.task_serializer, conf.timezone) == ("second", "UTC")


def test_kernel_toml_hides_pyproject_altogether(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("[kernel]\nenable_utc = false\n")
    (tmp_path / "pyproject.toml").write_text('[tool.kernel]\ntask_serializer = "yaml"\n')
    conf = make()
    assert (conf.enable_utc, conf.task_serializer) == (False, "json")


def test_one_key_of_a_mapping_lies_over_the_weaker_value(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("[kernel.broker_transport_options]\na = 1\nb = 2\n")
    conf = make(KERNEL_BROKER_TRANSPORT_OPTIONS__B="3", KERNEL_BROKER_TRANSPORT_OPTIONS__DEEP__C="x")
    assert conf.broker_transport_options == {"a": 1, "b": 3, "deep": {"c": "x"}}


def test_one_key_lies_over_the_default(make):
    conf = make(KERNEL_TASK_PUBLISH_RETRY_POLICY__MAX_RETRIES="9")
    assert conf.task_publish_retry_policy == {
        "max_retries": 9,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 1,
    }
    assert conf.origin("task_publish_retry_policy") == "environment KERNEL_TASK_PUBLISH_RETRY_POLICY__MAX_RETRIES"


def test_a_whole_value_beats_the_keys_of_weaker_sources(make):
    conf = make({"broker_transport_options": {"z": 1}}, KERNEL_BROKER_TRANSPORT_OPTIONS__B="3")
    assert conf.broker_transport_options == {"z": 1}
