"""What is wanted, what is implied, what is disabled; and nothing else is imported."""

import json
import subprocess
import sys

import pytest

from kernel.errors import PluginError
from kernel.runtime.plugin_selection import ALWAYS
from kernel.runtime.plugin_set import missing_scheme
from kernel.runtime.plugins import call_hook, discover, load_plugins


def names(loaded) -> list[str]:
    return [plugin.name for plugin in loaded.loaded]


def test_the_light_set_is_always_there():
    loaded = load_plugins([])
    assert names(loaded) == list(ALWAYS)
    assert [serializer.name for serializer in loaded.serializers] == ["json"]
    assert [compressor.encoding for compressor in loaded.compressors] != []
    assert list(loaded.routers) == ["config"]
    assert (dict(loaded.brokers), dict(loaded.backends), dict(loaded.pools)) == ({}, {}, {})
    assert {plugin.dist for plugin in loaded.loaded} == {"kernel"}


def test_urls_and_pools_imply_their_plugins():
    loaded = load_plugins([], broker_schemes=["memory"], backend_schemes=["MEMORY"], pools=["solo"])
    assert loaded.broker("Memory").plugin == "broker.memory"
    assert loaded.backend("memory").plugin == "backend.memory"
    assert list(loaded.pools) == ["solo"]
    with pytest.raises(PluginError, match=r"E101.*'sqs'"):
        loaded.broker("sqs")


def test_a_scheme_may_be_announced_beside_the_name(zoo):
    module = zoo.broker("broker.zoo", "zoo+srv")
    elsewhere = zoo.broker("broker.zebra", "zebra")
    zoo.dist("plugin-more", {"broker.zoo+srv": f"{elsewhere}:plugin"}, group="kernel.schemes")  # not its own plugin
    points = zoo.folder / "plugin_broker_zoo-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"{points.read_text()}\n[kernel.schemes]\nbroker.zoo+srv = {module}:plugin\n")
    loaded = load_plugins([], broker_schemes=["zoo+srv"])
    assert loaded.brokers["zoo+srv"].plugin == "broker.zoo"
    assert elsewhere not in sys.modules


def test_a_named_plugin_may_provide_a_scheme_that_nothing_announces(zoo):
    zoo.broker("broker.zoo", "zebra")
    assert load_plugins(["broker.zoo"], broker_schemes=["zebra"]).brokers["zebra"].plugin == "broker.zoo"


def test_a_plugin_without_the_scheme_that_its_name_promises(zoo):
    zoo.broker("broker.zoo", "zebra")
    with pytest.raises(PluginError, match=r"E101.*'zoo'"):
        load_plugins([], broker_schemes=["zoo"])


def test_every_built_in_plugin_loads():
    own = [entry.name for entry in discover() if entry.dist == "kernel"]
    assert set(names(load_plugins(own))) == set(own)


def test_auto_is_everything_installed(zoo):
    zoo.broker("broker.zoo", "zoo")
    loaded = load_plugins(["auto"], disabled=["compression.lzma"])
    assert sorted(names(loaded)) == [entry.name for entry in discover() if entry.name != "compression.lzma"]


def test_only_what_is_wanted_is_imported(zoo):
    wanted, other = zoo.broker("broker.zoo", "zoo"), zoo.broker("broker.zebra", "zebra")
    program = """
import json, sys
from kernel.runtime.plugins import discover, load_plugins
light = sorted(sys.modules)
found = [entry.name for entry in discover()]
discovered = sorted(sys.modules)
load_plugins([], broker_schemes=["zoo"])
print(json.dumps([light, found, discovered, sorted(sys.modules)]))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(zoo.folder)}, capture_output=True, check=True
    )
    light, found, discovered, loaded = json.loads(run.stdout)
    assert not {"pluggy", "stevedore", "importlib.metadata"} & set(light)
    assert {"broker.zoo", "broker.zebra"} <= set(found)
    assert not [name for name in discovered if name.startswith("kernel.builtins.")]
    assert not {wanted, other, "stevedore"} & set(discovered)
    assert wanted in loaded
    unwanted = {other, "sqlite3", "asyncio", "kernel.builtins.memory", "kernel.builtins.sqlite"}
    assert not {name for name in unwanted if name in loaded and name not in light}


class TestFormats:
    def test_a_setting_implies_the_plugin_of_that_name(self):
        loaded = load_plugins([], formats=["serializer.json", "serializer.pickle", "compression.gzip"])
        assert names(loaded) == [*ALWAYS, "serializer.pickle"]

    def test_another_name_of_what_is_there_implies_nothing(self):
        assert names(load_plugins([], formats=["compression.xz", "compression.bzip"])) == list(ALWAYS)

    @pytest.mark.parametrize("name", ["serializer.zzz", "compression.zzz"])
    def test_a_name_of_nothing(self, name):
        with pytest.raises(PluginError, match=f"E101: plugin '{name}' is not installed") as caught:
            load_plugins([], formats=[name])
        assert f"pip install plugin-{name.replace('.', '-')}" in caught.value.cure

    def test_a_disabled_one(self):
        with pytest.raises(PluginError, match=r"E101: plugin 'compression\.gzip' is disabled, but a setting names"):
            load_plugins([], formats=["compression.gzip"], disabled=["compression.gzip"])


class TestDisabled:
    def test_a_disabled_plugin_is_left_out_and_not_imported(self, zoo):
        module = zoo.broker("broker.zoo", "zoo")
        assert names(load_plugins(["broker.zoo"], disabled=["broker.zoo", "broker.unheard"])) == list(ALWAYS)
        assert module not in sys.modules

    def test_so_is_one_of_the_light_set(self):
        assert "compression.lzma" not in names(load_plugins([], disabled=["compression.lzma"]))

    @pytest.mark.parametrize(
        "needs",
        [
            {"broker_schemes": ["memory"], "disabled": ["broker.memory"]},
            {"backend_schemes": ["memory"], "disabled": ["kernel:backend.memory"]},
            {"pools": ["solo"], "disabled": ["pool.solo"]},
        ],
    )
    def test_one_that_is_needed_is_an_error(self, needs):
        with pytest.raises(PluginError, match=r"E101: plugin .* is disabled, but") as caught:
            load_plugins([], **needs)
        assert "kernel plugins enable" in caught.value.cure

    def test_disabling_one_of_two_settles_a_duplicate(self, zoo):
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-one")
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-two")
        loaded = load_plugins([], broker_schemes=["zoo"], disabled=["plugin-zoo-one:broker.zoo"])
        assert loaded.loaded[-1].dist == "plugin-zoo-two"

    def test_a_word_that_is_no_plugin_name(self):
        with pytest.raises(PluginError, match=r"E101.*'memory'") as caught:
            load_plugins([], disabled=["memory"])
        assert "'broker.memory'" in caught.value.cure


class TestCallHook:
    def test_every_plugin_is_called(self, zoo):
        text = "@hookimpl\ndef kernel_worker_ready(self, node): seen.append(node)"
        modules = [zoo.plugin(f"hooks.{n}", text, top="seen = []") for n in ("a", "b")]
        call_hook(load_plugins(["hooks.a", "hooks.b"]), "kernel_worker_ready", node="n1")
        assert [sys.modules[module].seen for module in modules] == [["n1"], ["n1"]]

    @pytest.mark.parametrize(
        ("body", "code"), [("1 / 0", "E103"), ("sys.exit(4)", "E108"), ("(lambda: sys.exit())()", "E108")]
    )
    def test_the_one_that_fails_is_named(self, zoo, body, code):
        zoo.plugin("hooks.good", "@hookimpl\ndef kernel_worker_init(self, node): pass")
        zoo.plugin("hooks.bad", f"@hookimpl\ndef kernel_worker_init(self, node): {body}")
        loaded = load_plugins(["hooks.bad", "hooks.good"])
        with pytest.raises(PluginError) as caught:
            call_hook(loaded, "kernel_worker_init", node="n1")
        assert (caught.value.code, caught.value.plugin) == (code, "hooks.bad")

    def test_a_wrong_call_is_nobodys_fault(self, zoo):
        zoo.plugin("hooks.good", "@hookimpl\ndef kernel_worker_init(self, node): pass")
        with pytest.raises(Exception, match="node") as caught:
            call_hook(load_plugins(["hooks.good"]), "kernel_worker_init")
        assert not isinstance(caught.value, PluginError)


def test_a_set_is_frozen():
    loaded = load_plugins([])
    with pytest.raises(AttributeError):
        loaded.serializers = ()
    with pytest.raises(TypeError):
        loaded.routers["other"] = None


@pytest.mark.parametrize(
    ("kind", "scheme", "cure"),
    [
        ("broker", "pyamqp", "Install one: pip install plugin-broker-amqp"),
        ("broker", "REDISS", "Install one: pip install plugin-broker-redis"),
        ("backend", "mongodb", "Install one: pip install plugin-backend-mongo"),
        ("backend", "squlite", "Did you mean 'sqlite'?"),
    ],
)
def test_a_scheme_that_nothing_provides(kind, scheme, cure):
    assert missing_scheme(kind, scheme, {"sqlite": 1}).cure == cure


def test_no_package_is_made_up_for_a_scheme():
    cure = missing_scheme("broker", "sqla+oracle", {"sqlite": 1}).cure
    assert "pip" not in cure
    assert "sqlite" in cure
    assert "sqs" in cure
