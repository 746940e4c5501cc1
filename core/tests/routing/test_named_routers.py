"""``task_routes`` that name a router of a plugin: {"router": name, ...its rules}."""

import dataclasses
import importlib
import sys
import textwrap
from pathlib import Path

import pytest

from kernel.app.settings import Settings
from kernel.builtins.router.config_router import ConfigRouter
from kernel.contracts.capabilities import BrokerCaps
from kernel.engine.requirements import check_broker
from kernel.engine.topology import build_topology
from kernel.errors import ImproperlyConfigured, PluginError
from kernel.model.config import Config
from kernel.model.topology import TaskRef
from kernel.runtime.boot import build_services

PLUGIN = """
from kernel.contracts import Router
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel.errors import ImproperlyConfigured
from kernel.model.topology import Route


class ById(Router):
    def __init__(self, rules):
        if set(rules) != {"only", "queue"}:
            raise ImproperlyConfigured(f"by_id: rules are {sorted(rules)}")
        self.only, self.queue = rules["only"], rules["queue"] + ""

    def compile(self, topology):
        return lambda ref: Route(self.queue) if ref.name == self.only and ref.id != "odd" else None


class Plugin:
    @hookimpl
    def kernel_manifest(self):
        return Manifest("NAME", contracts={"router": "1.0"})

    @hookimpl
    def kernel_routers(self):
        return {"by_id": ById}


plugin = Plugin()
"""
ROUTER = {"router": "by_id", "only": "a", "queue": "mine"}


@pytest.fixture
def install(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = []

    def write(plugin):
        module = f"named_router_{plugin.replace('.', '_')}"
        (tmp_path / f"{module}.py").write_text(PLUGIN.replace("NAME", plugin))
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kernel.plugins]\n{plugin} = {module}:plugin\n")
        importlib.invalidate_caches()
        modules.append(module)
        return module

    yield write
    for module in modules:
        sys.modules.pop(module, None)


def resolver(routes, **settings):
    config = Config(broker_url="memory://named-routers", result_backend=None, task_routes=routes, **settings)
    return build_services(config, "here@test").resolver


def queue(found, name, task_id=""):
    return found.resolve(TaskRef(name, id=task_id), {}).queue


def test_alone_it_is_the_only_router_and_loads_its_plugin(install):
    module = install("router.by_id")
    found = resolver(ROUTER)
    assert module in sys.modules
    assert (queue(found, "a"), queue(found, "b")) == ("mine", "kernel")
    assert queue(found, "a", "odd") == "kernel"


def test_without_a_route_that_names_it_a_plugin_is_not_imported(install):
    module = install("router.by_id")
    assert queue(resolver({"a": "x"}), "a") == "x"
    assert module not in sys.modules


@pytest.mark.parametrize("listed", [list, tuple])
def test_in_a_list_the_first_that_answers_decides(install, listed):
    install("router.by_id")
    before = resolver(listed([{"a": "first"}, ROUTER, {"*": "last"}]))
    assert (queue(before, "a"), queue(before, "b")) == ("first", "last")
    after = resolver(listed([ROUTER, {"*": "last"}]))
    assert (queue(after, "a"), queue(after, "a", "odd"), queue(after, "b")) == ("mine", "last", "last")


def test_beside_pairs_functions_dotted_names_and_lists_in_lists(install, tmp_path):
    install("router.by_id")
    (tmp_path / "named_router_own.py").write_text(
        "def route(name, *args, **kw):\n    return 'own' if name == 'b' else None\n"
    )
    for dotted_first in (["named_router_own.route", ROUTER], [ROUTER, "named_router_own.route"]):
        found = resolver([*dotted_first, [("c", "pair"), [ROUTER]], lambda name, *_, **__: "rest"])
        assert [queue(found, name) for name in "abcd"] == ["mine", "own", "pair", "rest"]
    assert [queue(resolver(["named_router_own.route", ROUTER]), name) for name in "ab"] == ["mine", "own"]


def test_what_the_call_says_wins(install):
    install("router.by_id")
    assert resolver(ROUTER).resolve(TaskRef("a"), {"queue": "explicit"}).queue == "explicit"


def test_a_plugin_of_another_name_may_provide_it_when_it_is_named(install):
    install("router.various")
    assert queue(resolver(ROUTER, plugins=("router.various",)), "a") == "mine"


def test_an_unknown_router_is_told_with_near_names(install):
    install("router.by_id")
    with pytest.raises(PluginError, match=r"E101: plugin 'router\.by_ids' is not installed") as caught:
        resolver([{"a": "x"}, {"router": "by_ids"}])
    assert "Did you mean 'router.by_id'" in caught.value.cure
    assert "pip install plugin-router-by-ids" in caught.value.cure


def test_a_disabled_router_is_an_error(install):
    install("router.by_id")
    with pytest.raises(PluginError, match=r"E101: plugin 'router\.by_id' is disabled, but a setting names 'by_id'"):
        resolver(ROUTER, disable_plugins=("router.by_id",))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"router": "by_id", "key": 1}, r"by_id: rules are \['key'\]"),
        ({**ROUTER, "queue": 7}, r"task_routes: router 'by_id' failed to read its rules: TypeError: "),
    ],
)
def test_rules_that_the_router_refuses_are_an_error_at_start_up(install, rules, said):
    install("router.by_id")
    with pytest.raises(ImproperlyConfigured, match=said) as caught:
        resolver([rules])
    assert "\n" not in caught.value.one_line()


def test_the_file_says_the_same(install, tmp_path):
    install("router.by_id")
    text = """
        [kernel]
        broker_url = "memory://named-routers"

        [[kernel.task_routes]]
        router = "by_id"
        only = "a"
        queue = "mine"

        [[kernel.task_routes]]
        "*" = "rest"
    """
    Path(tmp_path, "kernel.toml").write_text(textwrap.dedent(text))
    config = Settings(environ={}, cwd=tmp_path).snapshot()
    found = build_services(config, "here@test").resolver
    assert (queue(found, "a"), queue(found, "b")) == ("mine", "rest")


def test_a_router_of_a_plugin_has_no_static_options():
    """Its rules are not mistaken for routes, whatever their names."""
    routes = {"router": "by_id", "queues": {"priority": 3}}
    config = Config(task_routes=routes)
    check_broker("broker.plain", BrokerCaps(), config, build_topology(config))
    config = dataclasses.replace(config, task_routes=[routes, {"queues": {"priority": 3}}])
    with pytest.raises(PluginError, match="E107"):
        check_broker("broker.plain", BrokerCaps(), config, build_topology(config))


def test_a_task_called_router_is_routed_by_a_pair_or_by_options():
    assert queue(resolver([("router", "q"), ("b", "r")]), "router") == "q"
    assert queue(resolver({"router": {"queue": "q"}}), "router") == "q"


def test_behind_a_dotted_name_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "named_router_hidden.py").write_text("routes = {'router': 'by_id'}\n")
    said = (
        "named_router_hidden.routes names the router 'by_id', but plugins are chosen before dotted names are imported"
    )
    with pytest.raises(ImproperlyConfigured, match=said):
        ConfigRouter("named_router_hidden.routes").compile(build_topology(Config()))
