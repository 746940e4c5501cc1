"""kernel inspect, control and status, run in this process beside a worker."""

import json

import pytest
from control_fleet import NODE, Fleet

from kernel.cli.exits import Exit
from kernel.cli.main import main
from kernel.worker.control import COMMANDS, control_command


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(f"memory://{tmp_path.name}-b", f"memory://{tmp_path.name}-r")
    yield made
    made.close()


@pytest.fixture
def run(fleet, capsys, monkeypatch):
    monkeypatch.setattr(type(fleet.app), "close", lambda app: None)  # the worker of the test uses its services, too

    def run(*words):
        code = main(list(words), app=fleet.app)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_limit_is_set_and_told(fleet, run):
    with fleet.worker():
        code, out, err = run("control", "rate_limit", "add", "10/m", "-d", NODE)
    assert (code, err) == (0, "")
    assert out == f"->  {NODE}: OK\n        new rate limit set successfully\n\n1 node online.\n"


def test_status(fleet, run):
    with fleet.worker():
        assert run("status", "-d", NODE) == (0, f"->  {NODE}: OK\n\n1 node online.\n", "")
        code, out, _ = run("status", "-d", NODE, "--output", "json")
        assert (code, json.loads(out)) == (0, {NODE: {"ok": "pong"}})
        assert run("-q", "status", "-d", NODE)[1] == f"->  {NODE}: OK\n"


def test_inspect(fleet, run):
    with fleet.worker():
        assert f"->  {NODE}: OK\n        * add\n        * hold\n" in run("inspect", "registered", "-d", NODE)[1]
        assert "- empty -" in run("inspect", "active", "-d", NODE)[1]
        assert "[name=add]" in run("inspect", "registered", "name", "-d", NODE)[1]
        assert json.loads(run("inspect", "stats", "-d", NODE, "-j")[1])[NODE]["total"] == {}
        assert json.loads(run("inspect", "query_task", "a", "b", "-d", NODE, "-j")[1]) == {NODE: {}}
        assert json.loads(run("control", "revoke", "a", "b", "-d", NODE, "-j")[1])[0][NODE]["ok"].startswith(
            "tasks a, b"
        )
        assert run("control", "terminate", "KILL", "a", "-d", NODE)[1].count("tasks unknown") == 1


def test_an_error_of_a_node_is_an_error(fleet, run):
    with fleet.worker():
        code, out, _ = run("control", "rate_limit", "no", "10/m", "-d", NODE)
    assert code == 1
    assert f"->  {NODE}: ERROR\n        unknown task\n" in out


@pytest.mark.parametrize("words", [("status",), ("inspect", "ping"), ("control", "shutdown")])
def test_nobody_answers(run, words):
    code, out, err = run(*words, "-t", "0.1")
    assert (code, out) == (Exit.UNAVAILABLE, "")
    assert err.startswith("kernel: error: No node answered within 0.1 s.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "pong"), "Did you mean 'ping'"),
        (("control", "ping"), "'ping' is no control command"),
        (("control", "pool_grow", "many"), "'many' is no n"),
        (("control", "pool_grow", "1", "2"), "one argument too many"),
        (("inspect", "ping", "-d", ","), "names nothing"),
    ],
)
def test_misuse(run, words, said):
    code, _, err = run(*words)
    assert code == Exit.USAGE
    assert said in err


def test_the_commands_there_are(run):
    out = run("inspect", "--list")[1]
    assert "active_queues" in out
    assert "query_task [id1 [id2 [... [idN]]]]" in out
    assert "hello" not in out
    assert "dump_active" not in out
    assert "rate_limit <task_name>" in run("control")[1]


def test_a_command_of_ones_own_in_a_module_of_tasks(fleet, run, tmp_path, monkeypatch):
    before = dict(COMMANDS)
    (tmp_path / "own_remote_commands.py").write_text(
        "from kernel.worker.control import control_command\n"
        "@control_command(args=[('n', int)], signature='[N=1]')\n"
        "def more_please(state, n=1):\n    return {'ok': f'{n} more'}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    fleet.app.conf.imports = ["own_remote_commands"]
    try:
        with fleet.worker():
            assert "        3 more\n" in run("control", "more_please", "3", "-d", NODE)[1]
    finally:
        COMMANDS.clear()
        COMMANDS.update(before)
    assert control_command
