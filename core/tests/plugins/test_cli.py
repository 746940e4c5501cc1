"""``kernel plugins`` works while any plugin is broken, and says what to do."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kernel.cli.exits import Exit
from kernel.cli.main import main

BROKEN = {
    "E102": lambda zoo: zoo.plugin("broker.zoo", top="print('noise')\nimport zoo_is_not_there"),
    "E103": lambda zoo: zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_brokerz(self): pass"),
    "E104": lambda zoo: zoo.plugin("broker.zoo", manifest="contracts={'broker': '9.0'}"),
    "E105": lambda zoo: [zoo.broker("broker.zoo", "zoo", dist=f"plugin-zoo-{n}") for n in "ab"],
    "E108": lambda zoo: zoo.plugin("broker.zoo", top="sys.exit(0)"),
    "E108 in a hook": lambda zoo: zoo.plugin("broker.zoo", "@hookimpl\ndef kernel_brokers(self): sys.exit(0)"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "project"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in [name for name in os.environ if name.startswith("KERNEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return here


def listed(capsys) -> dict[str, dict]:
    assert main(["plugins", "list", "--output", "json", "--options"]) == Exit.OK
    return {row["distribution"] + ":" + row["name"]: row for row in json.loads(capsys.readouterr().out)}


def settings(folder: Path) -> dict:
    return tomllib.loads((folder / "kernel.toml").read_text())


class TestList:
    def test_names_versions_and_contracts(self, zoo, capsys):
        zoo.broker("broker.zoo", "zoo", version="1.4", manifest="contracts={'broker': '1.3'}")
        assert main(["plugins", "list"]) == Exit.OK
        (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("broker.zoo ")]
        assert row.split() == ["broker.zoo", "broker", "plugin-broker-zoo", "1.4", "broker", "1.3", "ok"]

    def test_for_programs_with_options(self, zoo, capsys):
        options = "{'speed': Option(int, 3, 'how fast'), 'token': Option(str, 'secret', 'who', secret=True)}"
        zoo.plugin("broker.zoo", manifest=f"contracts={{'broker': '1.3'}}, options={options}")
        row = listed(capsys)["plugin-broker-zoo:broker.zoo"]
        assert (row["status"], row["contracts"], row["via"], row["error"]) == ("ok", {"broker": "1.3"}, None, None)
        assert row["options"][0] == {"option": "speed", "type": "int", "default": 3, "doc": "how fast"}
        assert row["options"][1]["default"] == "***"
        assert main(["plugins", "list", "--options"]) == Exit.OK
        assert "  speed (int, default 3): how fast" in capsys.readouterr().out

    def test_a_shim_is_named(self, zoo, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules["kernel.runtime.shims"].SHIMS, ("broker", 0), lambda factory: factory)
        zoo.broker("broker.zoo", "zoo", manifest="contracts={'broker': '0.3'}")
        assert main(["plugins", "list"]) == Exit.OK
        assert "broker 0.3 via shim" in capsys.readouterr().out

    @pytest.mark.parametrize("broken", BROKEN)
    def test_a_broken_one_shows_its_code_and_hides_nothing(self, zoo, capsys, broken):
        BROKEN[broken](zoo)
        zoo.broker("broker.fine", "fine")
        rows = listed(capsys)
        assert rows["plugin-broker-fine:broker.fine"]["status"] == "ok"
        codes = {row["status"] for row in rows.values() if row["name"] == "broker.zoo"}
        assert codes == {broken.split()[0]}
        assert main(["plugins", "list"]) == Exit.OK
        assert "kernel plugins doctor" in capsys.readouterr().err


class TestDoctor:
    @pytest.mark.parametrize("broken", BROKEN)
    def test_one_line_and_remedy_and_exit_code(self, zoo, capsys, broken):
        BROKEN[broken](zoo)
        zoo.broker("broker.fine", "fine")
        assert main(["plugins", "doctor", "broker.zoo", "broker.fine"]) == Exit.CONFIG
        shown = capsys.readouterr().out.splitlines()
        problems = [line for line in shown if line.startswith("problem ")]
        assert len(problems) == (2 if broken == "E105" else 1)
        assert all(broken.split()[0] in line and "broker.zoo" in line for line in problems)
        assert any(line.startswith("ok ") and "broker.fine" in line for line in shown)

    def test_all_is_well(self, zoo, capsys):
        zoo.broker("broker.fine", "fine")
        assert main(["plugins", "doctor", "broker.fine"]) == Exit.OK
        assert "Plugins: 1. Problems: 0." in capsys.readouterr().out

    def test_names_that_are_not_installed(self, zoo, capsys):
        zoo.broker("broker.zoo", "zoo")
        assert main(["plugins", "doctor", "broker.zooo", "zoo"]) == Exit.CONFIG
        shown = capsys.readouterr().out
        assert shown.count("problem   E101") == 2
        assert shown.count("'broker.zoo'") >= 2

    def test_everything_installed_and_everything_configured(self, zoo, capsys, folder):
        zoo.broker("broker.zoo", "zoo")
        zoo.broker("broker.zoo2", "zoo")
        text = '[kernel]\nplugins = ["serializer.absent", "serializer.absent2?", "broker.zoo"]\n'
        (folder / "kernel.toml").write_text(text)
        assert main(["plugins", "doctor"]) == Exit.CONFIG
        problems = [line for line in capsys.readouterr().out.splitlines() if line.startswith("problem")]
        assert [line.split()[1] for line in problems if "absent" in line] == ["E101:"]
        assert [line.split()[1] for line in problems if "broker.zoo2" in line] == ["E105:"]

    def test_broken_configuration_is_a_problem_and_not_the_end(self, zoo, capsys, folder):
        zoo.broker("broker.zoo", "zoo")
        (folder / "kernel.toml").write_text("[kernel\n")
        assert main(["plugins", "doctor", "broker.zoo"]) == Exit.CONFIG
        shown = capsys.readouterr().out
        assert "ok        broker.zoo" in shown
        assert "kernel.toml" in shown
        assert main(["plugins", "list"]) == Exit.OK
        assert "kernel.toml" in capsys.readouterr().err

    def test_a_disabled_word_that_is_no_name(self, zoo, capsys, monkeypatch):
        zoo.broker("broker.zoo", "zoo")
        monkeypatch.setenv("KERNEL_DISABLE_PLUGINS", "nonsense,broker.zoo")
        assert main(["plugins", "doctor", "broker.zoo"]) == Exit.CONFIG
        shown = capsys.readouterr().out
        assert "disabled  broker.zoo" in shown
        assert "E101: 'nonsense'" in shown

    def test_tracebacks_only_on_demand(self, zoo, capsys, monkeypatch):
        zoo.plugin("broker.zoo", top="1 / 0")
        main(["plugins", "doctor", "broker.zoo"])
        assert "Traceback" not in "".join(capsys.readouterr())
        monkeypatch.setenv("KERNEL_DEBUG", "1")
        main(["plugins", "doctor", "broker.zoo"])
        assert "ZeroDivisionError: division by zero\n" in capsys.readouterr().err

    def test_root_is_warned_of_code_that_others_may_change(self, zoo, capsys, monkeypatch, tmp_path):
        zoo.broker("broker.fine", "fine")
        zoo.broker("broker.zoo", "zoo")
        direct = zoo.folder / "plugin_broker_zoo-1.0.dist-info" / "direct_url.json"
        direct.write_text('{"url": "file:///somewhere", "dir_info": {"editable": true}}')
        for uid, places, warned in ((0, "nowhere", {"zoo"}), (0, "zoo", {"zoo", "fine"}), (1000, "zoo", set())):
            monkeypatch.setattr("os.geteuid", lambda uid=uid: uid)
            monkeypatch.setattr("site.ENABLE_USER_SITE", True)
            monkeypatch.setattr("site.getusersitepackages", lambda places=places: str(tmp_path / places))
            assert main(["plugins", "doctor", "broker.zoo", "broker.fine"]) == Exit.OK
            lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
            assert len(lines) == len(warned)
            assert all(any(f"plugin-broker-{name} from" in line for line in lines) for name in warned)


class TestSwitch:
    def test_disable_and_enable(self, zoo, capsys, folder):
        zoo.plugin("broker.zoo", top="sys.exit(1)")
        assert main(["plugins", "disable", "broker.zoo", "pool.solo"]) == Exit.OK
        assert "disabled: broker.zoo, pool.solo (kernel.toml)" in capsys.readouterr().out
        assert settings(folder) == {"kernel": {"disable_plugins": ["broker.zoo", "pool.solo"]}}
        rows = listed(capsys)
        assert rows["plugin-broker-zoo:broker.zoo"]["status"] == "disabled"
        assert main(["plugins", "doctor", "broker.zoo"]) == Exit.OK
        assert main(["plugins", "enable", "broker.zoo"]) == Exit.OK
        assert settings(folder) == {"kernel": {"disable_plugins": ["pool.solo"]}}
        assert main(["plugins", "doctor", "broker.zoo"]) == Exit.CONFIG

    def test_twice_is_once(self, zoo, capsys, folder):
        zoo.broker("broker.zoo", "zoo")
        for _ in range(2):
            assert main(["plugins", "disable", "broker.zoo"]) == Exit.OK
        assert "says so already" in capsys.readouterr().out
        assert settings(folder) == {"kernel": {"disable_plugins": ["broker.zoo"]}}
        for _ in range(2):
            assert main(["plugins", "enable", "broker.zoo"]) == Exit.OK
        assert settings(folder) == {"kernel": {"disable_plugins": []}}

    def test_one_of_two_distributions(self, zoo, capsys, folder):
        for n in "ab":
            zoo.broker("broker.zoo", "zoo", dist=f"plugin-zoo-{n}")
        assert main(["plugins", "disable", "plugin-zoo-a:broker.zoo"]) == Exit.OK
        rows = listed(capsys) if capsys.readouterr() else {}
        assert rows["plugin-zoo-a:broker.zoo"]["status"] == "disabled"
        assert rows["plugin-zoo-b:broker.zoo"]["status"] == "ok"
        assert main(["plugins", "enable", "plugin-zoo-b:broker.zoo"]) == Exit.OK
        assert settings(folder)["kernel"]["disable_plugins"] == ["plugin-zoo-a:broker.zoo"]
        assert main(["plugins", "enable", "broker.zoo"]) == Exit.OK
        assert settings(folder)["kernel"]["disable_plugins"] == []

    def test_the_rest_of_the_file_stays(self, zoo, folder):
        zoo.broker("broker.zoo", "zoo")
        before = '# mine\r\n[kernel]  # here\r\nplugins = [ "pool.solo" ] # one\r\n'
        (folder / "kernel.toml").write_bytes(before.encode())
        (folder / "kernel.toml").chmod(0o640)
        assert main(["plugins", "disable", "broker.zoo"]) == Exit.OK
        expected = before.replace("here\r\n", 'here\r\ndisable_plugins = ["broker.zoo"]\r\n')
        assert (folder / "kernel.toml").read_bytes().decode() == expected
        assert (folder / "kernel.toml").stat().st_mode & 0o777 == 0o640
        assert [path.name for path in folder.iterdir()] == ["kernel.toml"]

    def test_a_list_over_several_lines_is_replaced(self, zoo, folder):
        zoo.broker("broker.zoo", "zoo")
        text = '[kernel]\nnamespace = "a"\ndisable_plugins = [\n  "pool.solo",\n]\ntimezone = "UTC"'
        (folder / "kernel.toml").write_text(text)
        assert main(["plugins", "disable", "broker.zoo"]) == Exit.OK
        expected = '[kernel]\nnamespace = "a"\ndisable_plugins = ["pool.solo", "broker.zoo"]\ntimezone = "UTC"'
        assert (folder / "kernel.toml").read_text() == expected

    def test_pyproject_with_a_table_is_changed_and_one_without_is_not(self, zoo, folder):
        zoo.broker("broker.zoo", "zoo")
        project = folder / "pyproject.toml"
        project.write_text('[project]\nname = "x"\n')
        assert main(["plugins", "disable", "broker.zoo"]) == Exit.OK
        assert project.read_text() == '[project]\nname = "x"\n'
        (folder / "kernel.toml").unlink()
        project.write_text('[tool.kernel]\nnamespace = "x"\n[tool.other]\ndisable_plugins = ["keep"]\n')
        assert main(["plugins", "disable", "broker.zoo"]) == Exit.OK
        assert not (folder / "kernel.toml").exists()
        tool = tomllib.loads(project.read_text())["tool"]
        assert tool == {
            "kernel": {"namespace": "x", "disable_plugins": ["broker.zoo"]},
            "other": {"disable_plugins": ["keep"]},
        }

    def test_a_named_file(self, zoo, folder):
        zoo.broker("broker.zoo", "zoo")
        (folder / "mine.toml").write_text("[kernel]\n")
        assert main(["--config", "mine.toml", "plugins", "disable", "broker.zoo"]) == Exit.OK
        assert 'disable_plugins = ["broker.zoo"]' in (folder / "mine.toml").read_text()
        assert main(["--config", "mine.toml", "plugins", "doctor", "broker.zoo"]) == Exit.OK

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("kernel.namespace = 'x'\n", "cannot change safely"),
            ("kernel = {namespace = 'x'}\n", "cannot change safely"),
            ("[kernel]\n'disable_plugins' = ['pool.solo']\n", "cannot change safely"),
            ("[kernel]\ndisable_plugins = [\n 'pool.solo', # a ] here\n]\n", "cannot change safely"),
            ("[kernel]\ndisable_plugins = 3\n", "not a list of names"),
            ("[kernel\n", "cannot be read"),
        ],
    )
    def test_a_file_that_is_not_understood_is_left_alone(self, zoo, capsys, folder, text, said):
        zoo.broker("broker.zoo", "zoo")
        (folder / "kernel.toml").write_text(text)
        assert main(["plugins", "disable", "broker.zoo"]) == Exit.CONFIG
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1
        assert said in shown
        assert (folder / "kernel.toml").read_text() == text

    def test_configuration_in_a_module(self, zoo, capsys):
        zoo.broker("broker.zoo", "zoo")
        assert main(["--config", "settings", "plugins", "disable", "broker.zoo"]) == Exit.CONFIG
        assert "'settings'" in capsys.readouterr().err

    def test_an_unknown_name(self, zoo, capsys, folder):
        zoo.broker("broker.zoo", "zoo")
        assert main(["plugins", "disable", "broker.zooo"]) == Exit.CONFIG
        assert "'broker.zoo'" in capsys.readouterr().err
        assert not list(folder.iterdir())

    def test_the_environment_is_stronger_and_that_is_said(self, zoo, capsys, monkeypatch):
        zoo.broker("broker.zoo", "zoo")
        monkeypatch.setenv("KERNEL_DISABLE_PLUGINS", "pool.solo")
        assert main(["plugins", "disable", "broker.zoo"]) == Exit.OK
        assert "KERNEL_DISABLE_PLUGINS" in capsys.readouterr().err


def test_as_a_process(zoo, folder):
    """An exit at import, an object that fails when looked at, and an error line of its own: nothing escapes."""
    zoo.plugin("broker.zoo", top="sys.exit(0)")
    zoo.plugin("broker.odd", "def __dir__(self): raise SystemExit(5)")
    environment = {"PYTHONPATH": str(zoo.folder), "PATH": os.environ["PATH"]}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kernel", *arguments]
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)

    shown = run("plugins", "list")
    assert shown.returncode == 0, shown.stderr
    assert [line.split()[-1] for line in shown.stdout.splitlines() if ".zoo" in line or ".odd" in line] == ["E108"] * 2
    assert run("plugins", "doctor").returncode == Exit.CONFIG
    assert run("plugins", "disable", "broker.zoo", "broker.odd").returncode == 0
    assert [run("plugins", "doctor", name).returncode for name in ("broker.zoo", "broker.odd")] == [0, 0]
    failed = run("plugins", "disable", "broker.absent")
    assert failed.returncode == Exit.CONFIG
    assert failed.stderr.startswith("kernel: error: E101: plugin 'broker.absent' is not installed.")
    assert failed.stderr.count("\n") == 1
