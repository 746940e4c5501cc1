"""Every way in which a plugin is broken gives its one line with its code."""

import sys

import pytest

from kernel.contracts.manifest import CONTRACTS
from kernel.errors import PluginError
from kernel.runtime.plugins import load_plugins
from kernel.runtime.shims import SHIMS


def refusal(*wanted: str, **options) -> PluginError:
    """The error of loading; one line, with a cure."""
    with pytest.raises(PluginError) as caught:
        load_plugins(wanted, **options)
    error = caught.value
    assert "\n" not in error.one_line()
    assert error.cure
    assert str(error).startswith(f"{error.code}: ")
    return error


class TestNotInstalled:
    def test_near_names_are_offered_and_the_command_that_installs_it(self, zoo):
        zoo.broker("broker.zoosqs", "zoosqs")
        error = refusal("broker.zoosqz")
        assert error.code == "E101"
        assert "'broker.zoosqs'" in error.cure
        assert "pip install plugin-broker-zoosqz" in error.cure

    def test_another_distribution_of_the_name_is_offered(self, zoo):
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-real")
        error = refusal("plugin-zoo-other:broker.zoo")
        assert error.code == "E101"
        assert "'plugin-zoo-real:broker.zoo'" in error.cure
        assert "pip install plugin-zoo-other" in error.cure

    @pytest.mark.parametrize("word", ["zoosqs", "", "broker.", "a:b:c.d", "broker.x y"])
    def test_a_word_that_is_no_plugin_name(self, zoo, word):
        zoo.broker("broker.zoosqs", "zoosqs")
        error = refusal(word)
        assert error.code == "E101"
        assert repr(word) in str(error)
        if word == "zoosqs":
            assert "'broker.zoosqs'" in error.cure

    @pytest.mark.parametrize(("kind", "what"), [("broker", "broker"), ("backend", "result backend")])
    def test_a_scheme_that_nothing_provides(self, kind, what):
        error = refusal(**{f"{kind}_schemes": ["zebra"]})
        assert error.code == "E101"
        assert f"{what} URLs of scheme 'zebra'" in str(error)
        assert f"pip install plugin-{kind}-zebra" in error.cure

    def test_a_pool_that_does_not_exist(self):
        error = refusal(pools=["threadz"])
        assert error.code == "E101"
        assert "'pool.threads'" in error.cure


class TestImportFails:
    def test_the_first_missing_module_and_the_place(self, zoo):
        inner = zoo.module("import zoo_is_not_there\n")
        outer = zoo.module(
            f"try:\n    import {inner}\nexcept ImportError as error:\n    raise ImportError('no') from error\n"
        )
        zoo.dist("plugin-broker-zoo", {"broker.zoo": f"{outer}:plugin"})
        error = refusal("broker.zoo")
        assert error.code == "E102"
        assert "module 'zoo_is_not_there' is missing" in str(error)
        assert f"{zoo.folder / outer}.py:4" in str(error)
        assert "pip install --upgrade plugin-broker-zoo" in error.cure
        assert isinstance(error.__cause__, ImportError)

    def test_a_module_it_should_have_brought_itself(self, zoo):
        zoo.dist("plugin-broker-zoo", {"broker.zoo": "zoo_forgotten.inner:plugin"})
        error = refusal("broker.zoo")
        assert error.code == "E102"
        assert "its module 'zoo_forgotten' does not exist" in str(error)
        assert "--force-reinstall plugin-broker-zoo" in error.cure

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("x = 1\nraise RuntimeError('two\\nlines')", "RuntimeError: two lines at"),
            ("def f():\n    assert False, 'never'\nf()", "AssertionError: never at"),
            ("class Odd(BaseException): pass\nraise Odd", "Odd: no message at"),
            ("\ndef (:", "SyntaxError"),
            ("x = 2", "has no attribute 'plugin'"),
        ],
    )
    def test_whatever_the_module_raises(self, zoo, text, said):
        module = zoo.module(text)
        zoo.dist("plugin-broker-zoo", {"broker.zoo": f"{module}:plugin"})
        error = refusal("broker.zoo")
        assert error.code == "E102"
        assert said in str(error)
        if said != "has no attribute 'plugin'":
            assert f"{module}.py:2" in str(error) or "class Odd" in text
        assert "plugin-broker-zoo 1.0" in str(error)
        assert "kernel plugins disable broker.zoo" in error.cure

    def test_interrupting_is_not_swallowed(self, zoo):
        module = zoo.module("raise KeyboardInterrupt")
        zoo.dist("plugin-broker-zoo", {"broker.zoo": f"{module}:plugin"})
        with pytest.raises(KeyboardInterrupt):
            load_plugins(["broker.zoo?"])


class TestExits:
    def test_at_import(self, zoo):
        module = zoo.module("import sys\nsys.exit(3)")
        zoo.dist("plugin-broker-zoo", {"broker.zoo": f"{module}:plugin"})
        error = refusal("broker.zoo")
        assert error.code == "E108"
        assert "called sys.exit(3) while being imported" in str(error)
        assert f"{module}.py:2" in str(error)

    @pytest.mark.parametrize("hook", ["kernel_brokers", "kernel_manifest", "kernel_middleware"])
    def test_in_a_hook(self, zoo, hook):
        manifest = "" if hook == "kernel_manifest" else "contracts={'broker': '1.0'}"
        zoo.plugin("broker.zoo", f"@hookimpl\ndef {hook}(self): sys.exit('bye')", manifest=manifest)
        error = refusal("broker.zoo")
        assert error.code == "E108"
        assert f"called sys.exit('bye') in {hook}()" in str(error)


class TestHooks:
    def test_unknown(self, zoo):
        zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_brokerz(self): return {}")
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert "unknown hook 'kernel_brokerz'" in str(error)
        assert "'kernel_brokers'" in error.cure

    def test_wrong_signature(self, zoo):
        zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_configure(self, settings): pass")
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert "kernel_configure" in str(error)
        assert "settings" in str(error)

    def test_no_manifest(self, zoo):
        zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_brokers(self): return {}", manifest="")
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert "no hook kernel_manifest" in str(error)

    @pytest.mark.parametrize(
        ("returned", "said"),
        [
            ("{}", "returned dict, not Manifest"),
            (
                "Manifest('broker.other', {'broker': '1.0'})",
                "names 'broker.other', but its entry point is 'broker.zoo'",
            ),
            ("Manifest('broker.zoo', {})", "declares no contracts"),
            ("Manifest('broker.zoo', {'broker': 1})", "has version 1 of contract 'broker'"),
            ("Manifest('broker.zoo', {'broker': 'one'})", "has version 'one' of contract 'broker'"),
            ("Manifest('broker.zoo', {'broker': '1.0'}, options={'a': int})", "has options"),
            ("Manifest('broker.zoo', {'broker': '1.0'}, kernel=2026)", "no text"),
            ("1 / 0", "ZeroDivisionError"),
        ],
    )
    def test_manifests_that_are_none(self, zoo, returned, said):
        zoo.plugin("broker.zoo", f"@hookimpl\ndef kernel_manifest(self): return {returned}", manifest="")
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert said in str(error)

    def test_a_class_instead_of_an_instance(self, zoo):
        module = zoo.plugin("broker.zoo")
        zoo.dist("plugin-other", {"broker.other": f"{module}:Plugin"})
        error = refusal("broker.other")
        assert error.code == "E103"
        assert "the class Plugin" in str(error)

    def test_an_object_that_fails_when_looked_at(self, zoo):
        zoo.plugin("broker.zoo", "def __dir__(self): raise OSError('no')")
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert "OSError: no" in str(error)

    @pytest.mark.parametrize(
        ("hook", "returned", "said"),
        [
            ("kernel_brokers", "[]", "returned list, not a mapping"),
            ("kernel_brokers", "['sqs']", "returned list, not a mapping"),
            ("kernel_brokers", "{'sqs': 3}", "maps 'sqs' to 3"),
            ("kernel_brokers", "{3: object}", "maps 3 to"),
            ("kernel_pools", "{'zoo': object}", "pool classes"),
            ("kernel_serializers", "{'zoo': 1}", "returned dict, not a list"),
            ("kernel_serializers", "[object()]", "which is no Serializer"),
            ("kernel_compressors", "[object()]", "which is no Compressor"),
            ("kernel_compressors", "[type('C', (Compressor,), dict(M, name='c'))()]", "C, which has no encoding"),
            ("kernel_serializers", "[type('S', (Serializer,), dict(M, content_type='s'))()]", "S, which has no name"),
            ("kernel_middleware", "3", "returned int, not a list"),
            ("kernel_brokers", "{}['x']", "kernel_brokers() failed: KeyError: 'x' at"),
        ],
    )
    def test_what_providing_hooks_return_is_checked(self, zoo, hook, returned, said):
        contracts = dict.fromkeys(CONTRACTS, "1.0")
        top = "M = dict.fromkeys(('dumps', 'loads', 'compress', 'decompress'))"
        text = f"@hookimpl\ndef {hook}(self): return {returned}"
        zoo.plugin("broker.zoo", text, manifest=f"contracts={contracts}", top=top)
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert said in str(error)


class TestContracts:
    def test_of_the_future(self, zoo):
        zoo.plugin(
            "broker.zoo", "@hookimpl\ndef kernel_of_the_future(self): pass", manifest="contracts={'broker': '9.0'}"
        )
        error = refusal("broker.zoo")
        assert error.code == "E104"
        assert "contract broker 9.0" in str(error)
        assert f"speaks broker {CONTRACTS['broker']}" in str(error)
        assert "pip install --upgrade kernel" in error.cure

    def test_of_a_kind_that_is_none(self, zoo):
        zoo.plugin("broker.zoo", manifest="contracts={'brokers': '1.0'}")
        error = refusal("broker.zoo")
        assert error.code == "E104"
        assert "'broker'" in error.cure

    def test_a_newer_minor_version_loads(self, zoo):
        zoo.plugin("broker.zoo", manifest="contracts={'broker': '1.7'}")
        assert load_plugins(["broker.zoo"]).loaded[-1].contracts == {"broker": "1.7"}

    def test_one_major_version_behind_without_a_shim(self, zoo, monkeypatch):
        monkeypatch.setitem(CONTRACTS, "broker", "2.0")
        zoo.broker("broker.zoo", "zoo")
        error = refusal("broker.zoo")
        assert error.code == "E104"
        assert "contract broker 1.0" in str(error)
        assert "speaks broker 2.0" in str(error)
        assert "pip install --upgrade plugin-broker-zoo" in error.cure

    def test_one_major_version_behind_with_a_shim(self, zoo, monkeypatch):
        monkeypatch.setitem(CONTRACTS, "broker", "2.0")
        monkeypatch.setitem(SHIMS, ("broker", 1), lambda factory: ("adapted", factory).__getitem__)
        zoo.broker("broker.zoo", "zoo", manifest="contracts={'broker': '1.0'}")
        loaded = load_plugins(["broker.zoo"], broker_schemes=["zoo"])
        assert loaded.brokers["zoo"].factory(0) == "adapted"
        assert loaded.brokers["zoo"].factory(1) is object
        assert (loaded.loaded[-1].contracts, loaded.loaded[-1].via) == ({"broker": "1.0"}, "shim")
        assert all(plugin.via == "" for plugin in loaded.loaded[:-1])

    def test_a_shim_of_the_hooks_adapts_the_plugin_object(self, zoo, monkeypatch):
        class Adapted:
            def __init__(self, old):
                self.old = old

        monkeypatch.setitem(SHIMS, ("hooks", 0), Adapted)
        zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_of_old(self): pass", manifest="contracts={'hooks': '0.9'}")
        assert load_plugins(["broker.zoo"]).loaded[-1].via == "shim"

    def test_two_major_versions_behind_is_refused_in_spite_of_a_shim(self, zoo, monkeypatch):
        monkeypatch.setitem(CONTRACTS, "broker", "3.0")
        monkeypatch.setitem(SHIMS, ("broker", 1), lambda factory: factory)
        zoo.broker("broker.zoo", "zoo")
        assert refusal("broker.zoo").code == "E104"

    def test_a_shim_that_fails_is_the_plugins_error(self, zoo, monkeypatch):
        monkeypatch.setitem(SHIMS, ("broker", 0), lambda factory: factory.missing)
        zoo.broker("broker.zoo", "zoo", manifest="contracts={'broker': '0.1'}")
        error = refusal("broker.zoo")
        assert error.code == "E103"
        assert "AttributeError" in str(error)

    def test_what_is_provided_has_a_contract(self, zoo):
        zoo.broker("broker.zoo", "zoo", manifest="contracts={'hooks': '1.0'}")
        error = refusal("broker.zoo")
        assert error.code == "E104"
        assert "names no contract 'broker'" in str(error)
        assert "contracts={'broker': '1.0'}" in error.cure

    @pytest.mark.parametrize("wanted", [">=2999", "==2026.10.*", "<1", ">>3"])
    def test_another_kernel(self, zoo, wanted):
        zoo.plugin("broker.zoo", manifest=f"contracts={{'broker': '1.0'}}, kernel={wanted!r}")
        error = refusal("broker.zoo")
        assert error.code == "E104"
        assert wanted in str(error)


class TestDuplicates:
    def test_two_distributions_of_one_name_are_not_even_imported(self, zoo):
        module = zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-one")
        other = zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-two", version="2.5")
        error = refusal("broker.zoo")
        assert error.code == "E105"
        assert "plugin-zoo-one 1.0" in str(error)
        assert "plugin-zoo-two 2.5" in str(error)
        assert "'plugin-zoo-one:broker.zoo'" in error.cure
        assert not {module, other} & set(sys.modules)

    def test_a_url_implies_neither_of_the_two(self, zoo):
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-one")
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-two")
        assert refusal(broker_schemes=["zoo"]).code == "E105"

    def test_saying_which_one_is_enough(self, zoo):
        one = zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-one")
        two = zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-two")
        loaded = load_plugins(["broker.zoo", "plugin_zoo.two:broker.zoo"], broker_schemes=["zoo"])
        assert loaded.loaded[-1].dist == "plugin-zoo-two"
        assert two in sys.modules
        assert one not in sys.modules

    def test_saying_both_is_none(self, zoo):
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-one")
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo-two")
        assert refusal("plugin-zoo-one:broker.zoo", "plugin-zoo-two:broker.zoo").code == "E105"

    def test_a_shadowed_copy_of_the_same_distribution_is_none(self, zoo, tmp_path, monkeypatch):
        zoo.broker("broker.zoo", "zoo", dist="plugin-zoo", version="2.0")
        later = type(zoo)(tmp_path / "later")
        later.broker("broker.zoo", "zoo", dist="plugin_zoo", version="1.0")
        monkeypatch.setattr(sys, "path", [*sys.path, str(later.folder)])
        assert load_plugins(["broker.zoo"]).loaded[-1].version == "2.0"

    def test_two_plugins_of_one_scheme(self, zoo):
        zoo.broker("broker.zoo", "ZOO")
        zoo.broker("broker.zoo2", "zoo", version="2.0")
        error = refusal("broker.zoo", "broker.zoo2")
        assert error.code == "E105"
        assert "broker scheme 'zoo'" in str(error)
        assert "'broker.zoo' (plugin-broker-zoo 1.0)" in str(error)
        assert "'broker.zoo2' (plugin-broker-zoo2 2.0)" in str(error)
        assert "kernel plugins disable broker.zoo2" in error.cure

    @pytest.mark.parametrize(
        ("name", "content_type", "said"),
        [("json", "application/x-zoo", "serializer 'json'"), ("zoo", "application/json", "content type")],
    )
    def test_a_serializer_like_the_built_in_one(self, zoo, name, content_type, said):
        top = f"""
        class Zoo(Serializer):
            name, content_type, content_encoding = {name!r}, {content_type!r}, "binary"
            safe, types, canonical = True, frozenset(), False
            def dumps(self, obj): return b""
            def loads(self, data, limits): return None
        """
        hooks = "@hookimpl\ndef kernel_serializers(self): return [Zoo()]"
        zoo.plugin("serializer.zoo", hooks, top=top, manifest="contracts={'serializer': '1.0'}")
        error = refusal("serializer.zoo")
        assert error.code == "E105"
        assert said in str(error)
        assert "'serializer.json' (kernel" in str(error)

    def test_a_compressor_of_a_built_in_encoding(self, zoo):
        top = """
        class Zoo(Compressor):
            name, encoding, checksum, levels, default_level = "zoo", "application/x-gzip", False, (1,), 1
            def compress(self, data, level=None): return b""
            def decompress(self, data, max_output): return b""
        """
        hooks = "@hookimpl\ndef kernel_compressors(self): return [Zoo()]"
        zoo.plugin("compression.zoo", hooks, top=top, manifest="contracts={'compressor': '1.0'}")
        error = refusal("compression.zoo")
        assert error.code == "E105"
        assert "compression encoding 'application/x-gzip'" in str(error)


class TestOptional:
    BROKEN = {
        "E101": lambda zoo: None,
        "E102": lambda zoo: zoo.plugin("broker.zoo", top="import zoo_is_not_there"),
        "E103": lambda zoo: zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_brokerz(self): pass"),
        "E104": lambda zoo: zoo.plugin("broker.zoo", manifest="contracts={'broker': '9.0'}"),
        "E105": lambda zoo: [zoo.broker("broker.zoo", "zoo", dist=f"plugin-zoo-{n}") for n in "ab"],
        "E108": lambda zoo: zoo.plugin("broker.zoo", top="sys.exit()"),
    }

    @pytest.mark.parametrize("code", BROKEN)
    def test_it_is_left_out_with_a_warning_and_other_plugins_are_told(self, zoo, caplog, code):
        self.BROKEN[code](zoo)
        told = zoo.plugin(
            "hooks.listener",
            "@hookimpl\ndef kernel_plugin_failed(self, name, error): heard.append((name, error))",
            top="heard = []",
            manifest="contracts={'hooks': '1.0'}",
        )
        loaded = load_plugins(["broker.zoo?", "hooks.listener"])
        assert [error.code for error in loaded.failed] == [code]
        assert sys.modules[told].heard == [("broker.zoo", loaded.failed[0])]
        assert "broker.zoo" not in {plugin.name for plugin in loaded.loaded}
        (record,) = [record for record in caplog.records if record.name == "kernel.plugins"]
        assert record.levelname == "WARNING"
        assert code in record.getMessage()

    def test_a_clash_leaves_out_the_optional_one_even_if_it_is_named_first(self, zoo):
        zoo.broker("broker.zoo", "zoo")
        zoo.broker("broker.zoo2", "zoo")
        loaded = load_plugins(["broker.zoo?", "broker.zoo2"])
        assert loaded.brokers["zoo"].plugin == "broker.zoo2"
        assert [error.code for error in loaded.failed] == ["E105"]

    def test_a_plugin_left_out_is_not_called_any_more(self, zoo):
        zoo.plugin(
            "broker.zoo", "@hookimpl\ndef kernel_brokers(self): return 3\n@hookimpl\ndef kernel_process_init(self): 1/0"
        )
        loaded = load_plugins(["broker.zoo?"])
        assert [error.code for error in loaded.failed] == ["E103"]
        loaded.hooks.kernel_process_init(pid=1)

    def test_one_that_a_url_needs_is_not_optional(self, zoo):
        zoo.plugin("broker.zoo", top="sys.exit()")
        assert refusal("broker.zoo?", broker_schemes=["zoo"]).code == "E108"


def test_metadata_that_cannot_be_read_hides_nothing_else(zoo):
    zoo.broker("broker.zoo", "zoo")
    (zoo.dist("plugin-odd-one", {"broker.odd": "odd:plugin"}) / "METADATA").unlink()
    (zoo.dist("plugin-odd-two", {}) / "entry_points.txt").write_bytes(b"[kernel.plugins]\n\xff\xfe = \x00\n[[[\n=\n")
    assert load_plugins(["broker.zoo"]).loaded[-1].name == "broker.zoo"
    assert refusal("broker.odd").code == "E102"
