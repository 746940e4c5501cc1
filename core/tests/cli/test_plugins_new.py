"""``kernel plugins new``: what it writes can be installed, loads, and says of everything that it is not written."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from kernel.cli.exits import Exit
from kernel.cli.main import main
from kernel.cli.plugins_new import KINDS
from kernel.contracts import (
    CONTRACTS,
    Broker,
    Compressor,
    Deadline,
    DecodeLimits,
    PluginContext,
    ResultBackend,
    Router,
    Serializer,
)
from kernel.contracts.hookspecs import HookSpecs
from kernel.errors import Code, DriverError
from kernel.model.topology import Topology


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *arguments):
    assert main(["plugins", "new", *arguments]) == Exit.USAGE
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def written(folder, monkeypatch, request):
    """The plugin object of a new distribution of a kind."""
    name = f"acme{request.node.callspec.params['kind']}"
    kind = request.node.callspec.params["kind"]
    assert main(["plugins", "new", kind, name]) == Exit.OK
    monkeypatch.syspath_prepend(folder / f"plugin_{kind}_{name}/src")
    return import_module(f"plugin_{kind}_{name}.plugin").plugin


def code_of(call, *args):
    with pytest.raises(DriverError, match="is not written yet") as caught:
        call(*args)
    assert caught.value.cure == "Write it in plugin.py."
    return caught.value.code


PROVIDED = {
    "broker": ("kernel_brokers", Broker),
    "backend": ("kernel_result_backends", ResultBackend),
    "serializer": ("kernel_serializers", Serializer),
    "compression": ("kernel_compressors", Compressor),
    "router": ("kernel_routers", Router),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_loads_and_refuses_everything(written, kind):
    hook, base = PROVIDED[kind]
    assert all(hasattr(HookSpecs, name) for name in dir(written) if name.startswith("kernel_"))
    assert written.kernel_manifest().name == f"{kind}.acme{kind}"
    assert written.kernel_manifest().contracts == {KINDS[kind].contract: CONTRACTS[KINDS[kind].contract]}
    provided = getattr(written, hook)()
    soon = Deadline.after(5)
    match kind:
        case "broker" | "backend":
            driver = provided[f"acme{kind}"](f"acme{kind}://host", {}, PluginContext())
            assert driver.capabilities().claimed() == frozenset()
            assert code_of(driver.open, soon) is Code.UNSUPPORTED
        case "router":
            driver = provided[f"acme{kind}"]({})
            assert code_of(driver.compile, Topology("q")) is Code.UNSUPPORTED
        case "serializer":
            [driver] = provided
            assert code_of(driver.dumps, 1) is Code.UNSUPPORTED
            assert code_of(driver.loads, b"", DecodeLimits()) is Code.UNSUPPORTED
        case "compression":
            [driver] = provided
            assert code_of(driver.compress, b"") is Code.UNSUPPORTED
            assert code_of(driver.decompress, b"", 1) is Code.UNSUPPORTED
    assert isinstance(driver, base)


def test_the_files(folder, capsys):
    assert main(["plugins", "new", "broker", "acme", "--dir", "here/there"]) == Exit.OK
    said = capsys.readouterr().out
    assert "pip install -e 'here/there[test]'" in said
    assert "kernel conformance run broker.acme" in said
    here = folder / "here/there"
    project = tomllib.loads((here / "pyproject.toml").read_text())
    assert project["project"]["name"] == "plugin-broker-acme"
    assert project["project"]["entry-points"] == {
        "kernel.plugins": {"broker.acme": "plugin_broker_acme.plugin:plugin"},
        "kernel.conformance": {"broker.acme": "plugin_broker_acme.harness:AcmeHarness"},
    }
    assert project["project"]["optional-dependencies"]["test"][0].startswith("kernel-conformance>=2026.11")
    assert tomllib.loads((here / "conformance.toml").read_text()) == {}
    assert "${{ matrix.python }}" in (here / ".github/workflows/conformance.yml").read_text()
    assert 'TestAcme = BrokerSuite.for_plugin("broker.acme")' in (here / "tests/test_conformance.py").read_text()
    assert len([path for path in here.rglob("*") if path.is_file()]) == 11


def test_they_are_in_good_form(folder):
    for kind in KINDS:
        assert main(["plugins", "new", kind, "acme"]) == Exit.OK
    settings = ["--isolated", "--line-length", "120"]
    format_run = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", *settings, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert format_run.returncode == 0, format_run.stdout
    rules = ["--select", "ALL", "--ignore", "D,ARG,FIX,TD,EM,TRY,COM812,CPY,ANN401,INP001,TC"]
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *settings, *rules, folder], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


class TestRefused:
    def test_an_unknown_kind(self, capsys, folder):
        assert "Did you mean 'broker'?" in refused(capsys, "brokr", "acme")
        assert "compression, router" in refused(capsys, "x", "acme")
        assert not list(folder.iterdir())

    @pytest.mark.parametrize("name", ["", "Acme", "1acme", "ac-me", "a.b", "a_b", "../up", "class", "ä"])
    def test_an_impossible_name(self, capsys, folder, name):
        assert "cannot be a plugin's name" in refused(capsys, "broker", name)
        assert not list(folder.iterdir())

    def test_a_name_that_is_taken(self, capsys, folder):
        assert "broker.memory exists: kernel is installed." in refused(capsys, "broker", "memory")
        assert not list(folder.iterdir())

    def test_a_folder_with_something_in_it(self, capsys, folder):
        Path("plugin_broker_acme").mkdir()
        assert main(["plugins", "new", "broker", "acme"]) == Exit.OK, "an empty folder will do"
        capsys.readouterr()
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        assert "exists and is no empty folder" in refused(capsys, "broker", "acme")
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

    def test_a_file_in_the_way(self, capsys):
        Path("way").write_text("")
        assert "exists and is no empty folder" in refused(capsys, "broker", "acme", "--dir", "way")
        assert "cannot be written" in refused(capsys, "broker", "acme", "--dir", "way/in")

    def test_too_few_words(self, capsys):
        assert "Missing argument 'NAME'" in refused(capsys, "broker")
