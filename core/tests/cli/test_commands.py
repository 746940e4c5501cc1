"""call, result, purge, report and shell, run in this process on the memory broker."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel import Kernel
from kernel.cli.exits import Exit
from kernel.cli.main import main
from kernel.contracts.broker import Outgoing, Settle, SettleKind
from kernel.contracts.deadline import Deadline

MODULE = """
from kernel import Kernel
app = Kernel("proj", broker="memory://{name}", backend="memory://{name}", task_queues=["proj", "mail"],
             task_default_queue="proj")

@app.task
def add(x, y):
    return x + y

@app.task(serializer="pickle")
def odd():
    return None
"""


class Terminal:
    """Runs `kernel -A <module> ...` and keeps what it printed."""

    def __init__(self, name: str, app: Kernel, captured: pytest.CaptureFixture[str]) -> None:
        self.name = name
        self.app = app
        self._captured = captured

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["-A", self.name, *arguments])
        shown = self._captured.readouterr()
        return code, shown.out, shown.err

    def depth(self, queue: str = "proj") -> int | None:
        return self.app.client.services.broker.depth([queue], Deadline.after(5))[queue].ready

    def store(self, task_id: str, state: str, value: object) -> None:
        from kernel.model.context import Request

        self.app.client.results.store_state(Request(id=task_id, task=f"{self.name}.add"), state, value)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    name = f"proj_{uuid.uuid4().hex[:8]}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(name=name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "argv", ["kernel"])
    module = __import__(name)
    yield Terminal(name, module.app, capsys)
    module.app.close()
    sys.modules.pop(name, None)


def test_call_sends_one_message_and_prints_its_id(terminal: Terminal) -> None:
    code, out, err = terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]")
    assert (code, err) == (0, "")
    assert uuid.UUID(out.strip())
    assert terminal.depth() == 1


def test_call_for_programs(terminal: Terminal) -> None:
    _, out, _ = terminal.run("call", "some.other.task", "-k", '{"x": 1}', "--queue", "mail", "--output", "json")
    assert uuid.UUID(json.loads(out)["id"])
    assert terminal.depth("mail") == 1


def test_call_takes_times(terminal: Terminal) -> None:
    for options in (
        ["--eta", "2030-01-01T00:00:00+00:00"],
        ["--countdown", "60"],
        ["--expires", "90"],
        ["--expires", "2030-01-01T00:00:00+00:00"],
    ):
        assert terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]", *options)[0] == 0


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-a", "2"], "is not a list"),
        (["-a", "[2,"], "is not JSON"),
        (["-k", "[2]"], "is not an object"),
        (["--eta", "tomorrow"], "is not a time"),
        (["--expires", "soon"], "is not a time"),
        (["--timeout", "3"], "--wait"),
    ],
)
def test_call_explains_wrong_options(terminal: Terminal, options: list[str], what: str) -> None:
    code, out, err = terminal.run("call", f"{terminal.name}.add", *options)
    assert (code, out) == (Exit.USAGE, "")
    assert what in err
    assert err.count("\n") == 1


def test_call_with_an_unknown_serializer_is_a_configuration_error(terminal: Terminal) -> None:
    code, _, err = terminal.run("call", f"{terminal.name}.add", "-a", "[1, 2]", "--serializer", "jsn")
    assert code == Exit.CONFIG
    assert "jsn" in err
    assert err.count("\n") == 1


def test_call_waits_no_longer_than_asked(terminal: Terminal) -> None:
    code, _, err = terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]", "--wait", "--timeout", "0.05")
    assert code == Exit.TEMPORARY
    assert err.count("\n") == 1


def test_result_of_a_success(terminal: Terminal) -> None:
    terminal.store("one", "SUCCESS", {"sum": 5})
    assert terminal.run("result", "one") == (0, "{'sum': 5}\n", "")
    code, out, _ = terminal.run("result", "one", "--output", "json")
    assert code == 0
    assert json.loads(out)["result"] == {"sum": 5}


def test_result_of_an_unknown_task_is_not_there_yet(terminal: Terminal) -> None:
    code, out, _ = terminal.run("result", "never")
    assert code == Exit.TEMPORARY
    assert out.startswith("PENDING")


def test_result_of_a_running_task(terminal: Terminal) -> None:
    terminal.store("two", "PROGRESS", {"done": 3})
    code, out, _ = terminal.run("result", "two", "-t", f"{terminal.name}.add")
    assert code == Exit.TEMPORARY
    assert out == "PROGRESS: {'done': 3}\n"


def test_purge_needs_a_terminal_or_force(terminal: Terminal) -> None:
    terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]")
    code, _, err = terminal.run("purge")
    assert code == Exit.USAGE
    assert "--force" in err
    assert terminal.depth() == 1


def test_purge_deletes_what_waits_in_the_chosen_queues(terminal: Terminal) -> None:
    for queue in ("proj", "proj", "mail"):
        terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]", "--queue", queue)
    code, out, _ = terminal.run("purge", "-f", "-X", "mail", "--output", "json")
    assert (code, json.loads(out)) == (0, {"proj": 2})
    code, out, _ = terminal.run("purge", "-f", "-Q", "mail")
    assert code == 0
    assert out.split() == ["QUEUE", "DELETED", "mail", "1"]


def test_purge_of_a_misspelt_exclusion_deletes_nothing(terminal: Terminal) -> None:
    terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]")
    code, _, err = terminal.run("purge", "-f", "-X", "mial")
    assert code == Exit.USAGE
    assert "Did you mean 'mail'?" in err
    assert terminal.depth() == 1


def test_purge_of_an_unknown_queue_says_so(terminal: Terminal) -> None:
    code, _, err = terminal.run("purge", "-f", "-Q", "nowhere")
    assert code == Exit.NO_INPUT
    assert "nowhere" in err


def test_report_masks_secrets_and_names_versions(terminal: Terminal) -> None:
    terminal.app.conf.update(broker_transport_options={"password": "hunter2"})
    code, out, _ = terminal.run("report")
    assert code == 0
    assert "hunter2" not in out
    for text in ("kernel: 20", "python: ", "broker.memory: kernel 20", "memory://"):
        assert text in out


def test_report_without_an_app_for_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--workdir", str(tmp_path), "report", "--output", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"software", "plugins", "settings"}


def test_shell_knows_the_app_and_its_tasks(terminal: Terminal) -> None:
    typed = "print(app.main, add(2, 3), group.__name__)\n"
    command = [sys.executable, "-m", "kernel", "-q", "-A", terminal.name, "shell", "--python"]
    run = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "proj 5 group" in run.stdout


def test_the_apps_own_program(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.app.start(["report", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["broker_url"].startswith("memory://")


def test_the_command_line_is_stronger_than_the_app(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-A", terminal.name, "-b", "memory://elsewhere", "report", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["broker_url"] == "memory://elsewhere"


def test_a_global_option_after_the_command(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "-A", terminal.name]) == Exit.USAGE
    assert "stands before the command: kernel -A ... report" in capsys.readouterr().err


@pytest.fixture
def quarantined(terminal: Terminal) -> list[str]:
    """Three messages that were set aside: two calls, moved as a worker moves them, and one that is no task at all."""
    for _ in range(2):
        terminal.run("call", f"{terminal.name}.add", "-a", "[2, 3]")
    services = terminal.app.client.services
    broker, soon = services.broker, Deadline.after(5)
    consumer = broker.consumer(["proj"], 0)
    deliveries = consumer.receive(10, 5)
    consumer.settle([Settle(each, SettleKind.REJECT, reason="killed 3 executors") for each in deliveries], soon)
    consumer.close(True, soon)
    broker.publish(
        [Outgoing(queue=f"{services.config.namespace}.quarantine", body=b"\xff", headers={}, id="strange")], soon
    )
    return [str((each.message.headers or {})["id"]) for each in deliveries]


def test_quarantine_list_shows_why_and_keeps(terminal: Terminal, quarantined: list[str]) -> None:
    for _ in range(2):
        code, out, _ = terminal.run("quarantine", "list", "--output", "json")
        rows = json.loads(out)
        assert code == 0
        assert {row["id"] for row in rows} == {*quarantined, "strange"}
        assert {row["queue"] for row in rows if row["task"]} == {"proj"}
    assert "killed 3 executors" in terminal.run("quarantine", "list")[1]


def test_quarantine_show_has_the_arguments(terminal: Terminal, quarantined: list[str]) -> None:
    code, out, _ = terminal.run("quarantine", "show", quarantined[0], "--output", "json")
    assert code == 0
    assert json.loads(out)["args"] == [2, 3]
    code, out, _ = terminal.run("quarantine", "show", "strange")
    assert code == 0
    assert "undecodable: " in out


def test_quarantine_replay_sends_again(terminal: Terminal, quarantined: list[str]) -> None:
    assert terminal.run("quarantine", "replay", quarantined[0])[:2] == (0, "sent again: 1\n")
    assert terminal.depth() == 1
    code, out, _ = terminal.run("quarantine", "replay", quarantined[1], "--queue", "mail", "--output", "json")
    assert (code, json.loads(out)["sent"]) == (0, [quarantined[1]])
    assert terminal.depth("mail") == 1


def test_quarantine_commands_name_what_is_not_there(terminal: Terminal, quarantined: list[str]) -> None:
    for command in (["show", "nothing"], ["replay", "nothing"], ["purge", "-f", "nothing"]):
        code, _, err = terminal.run("quarantine", *command)
        assert code == Exit.NO_INPUT
        assert err.count("\n") == 1


def test_quarantine_purge(terminal: Terminal, quarantined: list[str]) -> None:
    assert terminal.run("quarantine", "purge", "--all")[0] == Exit.USAGE  # there is no terminal to ask at
    assert terminal.run("quarantine", "purge", "-f", quarantined[0])[:2] == (0, "deleted: 1\n")
    assert terminal.run("quarantine", "purge", "-f", "--all")[:2] == (0, "deleted: 2\n")
    assert "Nothing is in quarantine" in terminal.run("quarantine", "list")[2]


@pytest.mark.parametrize("command", ["replay", "purge"])
def test_naming_nothing_does_not_mean_all(terminal: Terminal, command: str) -> None:
    assert terminal.run("quarantine", command)[0] == Exit.USAGE
    assert terminal.run("quarantine", command, "--all", "some-id")[0] == Exit.USAGE
