"""config_from_object and config_from_envvar with everything they take (features.md 1.16, 2.13)."""

import sys
from types import MappingProxyType, SimpleNamespace

import pytest

from kernel.errors import ImproperlyConfigured, UnknownSetting

MODULE = """
import os
from datetime import timedelta
from collections import OrderedDict

BASE_DIR = "/somewhere"
_helper = 3

def route(name, args, kwargs, options, task=None, **kw):
    return {"queue": "by-function"}

enable_utc = True
timezone = "Europe/London"
task_routes = (route,)
result_expires = timedelta(hours=1)

class Inner:
    timezone = "Europe/Paris"

class Outer:
    Inner = Inner
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of that name, importable for this test only."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name, content=MODULE):
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


class Base:
    enable_utc = False


class Config(Base):
    timezone = "Europe/London"
    task_annotations = {"tasks.add": {"rate_limit": "10/m"}}

    def method(self):
        raise AssertionError


def test_a_module_by_name(make, module):
    conf = make()
    conf.config_from_object(module("confone"))
    assert conf.timezone == "Europe/London"
    assert conf.result_expires == 3600.0
    assert conf.task_routes[0].__name__ == "route"
    assert conf.origin("timezone") == "config_from_object confone"


def test_a_module_object(make, module):
    module("conftwo")
    conf = make()
    conf.config_from_object(__import__("conftwo"))
    assert conf.timezone == "Europe/London"
    assert conf.origin("timezone") == "config_from_object conftwo"


@pytest.mark.parametrize("name", ["pkg.confthree:Inner", "pkg.confthree:Outer.Inner", "pkg.confthree.Inner"])
def test_an_attribute_of_a_module(name, make, module):
    module("pkg.confthree")
    conf = make()
    conf.config_from_object(name)
    assert conf.timezone == "Europe/Paris"


@pytest.mark.parametrize(
    "source", [Config, Config(), SimpleNamespace(enable_utc=False, timezone="Europe/London"), dict(vars(Config()))]
)
def test_a_class_an_instance_a_mapping(source, make):
    conf = make()
    if isinstance(source, dict):
        source = MappingProxyType({"enable_utc": False, "timezone": "Europe/London"})
    conf.config_from_object(source)
    assert (conf.enable_utc, conf.timezone) == (False, "Europe/London")


def test_a_namespace_takes_upper_case_names_only(make):
    django = SimpleNamespace(
        CELERY_BROKER_URL="memory://",
        CELERY_TASK_ALWAYS_EAGER=True,
        CELERY_TASK_ROUTES={"a": "b"},
        INSTALLED_APPS=["x"],
        timezone="Europe/Paris",
        SECRET_KEY="s",
    )
    conf = make()
    conf.config_from_object(django, namespace="CELERY")
    assert (conf.broker_url, conf.task_always_eager, conf.timezone) == ("memory://", True, None)
    assert conf.origin("broker_url") == "config_from_object SimpleNamespace, CELERY_BROKER_URL"
    other = make()
    other.config_from_object({"KERNEL_TIMEZONE": "UTC", "CELERY_TIMEZONE": "Europe/Paris"}, namespace="kernel_")
    assert other.timezone == "UTC"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("CELERY_TASK_SERIALISER", "Did you mean 'CELERY_TASK_SERIALIZER'"),
        ("CELERY_DEFAULT_QUEUE", "is an old name. Write CELERY_TASK_DEFAULT_QUEUE instead."),
        ("CELERYD_CONCURRENCY", "is an old name. Write worker_concurrency instead."),
        ("CELERY_WORKER_DIRECT", "is a setting of Celery that this version does not act on."),
        ("CELERY_WORKER_PREFETCH_MULTIPLIER", "worker_handout_max"),
    ],
)
def test_unknown_names_of_a_namespace(name, says, make):
    conf = make()
    conf.config_from_object({name: 1}, namespace="CELERY")
    with pytest.raises(UnknownSetting) as caught:
        conf.snapshot()
    assert caught.value.one_line().startswith(("There is no setting " + name, name))
    assert says in caught.value.one_line()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"task_serialiser": "json"}, "no setting task_serialiser (config_from_object dict). Did you mean"),
        (SimpleNamespace(task_serialiser="json"), "no setting task_serialiser (config_from_object SimpleNamespace)"),
        (SimpleNamespace(worker_prefetch_multiplier=1), "does not act on"),
        (SimpleNamespace(worker_direct=print), "does not act on"),
        (SimpleNamespace(CELERYD_CONCURRENCY=1), "Write worker_concurrency instead."),
        (SimpleNamespace(TIMEZONE="UTC"), "Write timezone instead."),
        ({"worker_concurrency": "many"}, "worker_concurrency = 'many' (config_from_object dict) must be"),
        ({3: 4}, "has a key that is no text: 3"),
        ("no_such_module", "The configuration 'no_such_module' cannot be imported: No module named 'no_such_module'."),
        ("json:nothing", "module 'json' has no attribute 'nothing'"),
        ("json.nothing", "module 'json' has no attribute 'nothing'"),
        ("json.nothing.deeper", "cannot be imported"),
        (".relative", "cannot be imported"),
        (":x", "cannot be imported"),
    ],
)
def test_what_is_refused(source, says, make):
    conf = make()
    conf.config_from_object(source)
    with pytest.raises(ImproperlyConfigured) as caught:
        conf.snapshot()
    assert says in caught.value.one_line()
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize("source", [None, ""])
def test_nothing_is_no_object(source, make):
    with pytest.raises(ImproperlyConfigured, match="names nothing"):
        make().config_from_object(source)


def test_a_module_that_fails_is_never_silent(make, module):
    conf = make()
    conf.config_from_object(module("conffour", "import no_such_dependency\n"), silent=True)
    with pytest.raises(ImproperlyConfigured, match="'conffour' cannot be imported: No module named 'no_such_depend"):
        conf.snapshot()


@pytest.mark.parametrize("name", ["no_such_module", "no_such_package.module", "no_such_module:attr"])
def test_silent_forgives_a_module_that_does_not_exist(name, make):
    conf = make()
    conf.config_from_object(name, silent=True, force=True)
    assert conf.table() == {}


def test_force_reads_at_once(make):
    with pytest.raises(ImproperlyConfigured, match="cannot be imported"):
        make().config_from_object("no_such_module", force=True)


def test_a_variable_names_the_module(make, module):
    conf = make(CELERY_CONFIG_MODULE=module("conffive"))
    conf.config_from_envvar("CELERY_CONFIG_MODULE")
    assert conf.timezone == "Europe/London"


def test_a_variable_that_is_not_set(make):
    with pytest.raises(ImproperlyConfigured, match="The variable MY_CONFIG is not set"):
        make().config_from_envvar("MY_CONFIG")
    conf = make(MY_CONFIG="")
    conf.config_from_envvar("MY_CONFIG", silent=True)
    assert conf.table() == {}


def test_a_configuration_module_may_read_the_settings_it_is_for(make, module, monkeypatch):
    conf = make({"timezone": "UTC"})
    monkeypatch.setitem(sys.modules, "holder_of_conf", SimpleNamespace(conf=conf))
    conf.config_from_object(
        module("confsix", "import holder_of_conf\n_seen = holder_of_conf.conf.timezone\ntask_serializer = 'yaml'\n")
    )
    assert conf.task_serializer == "yaml"
    assert sys.modules["confsix"]._seen == "UTC"
