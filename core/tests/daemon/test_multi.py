"""``kernel multi``: plans from words, and real nodes."""

import os
import signal
from pathlib import Path

import pytest

from kernel.cli.exits import CommandError, exit_code
from kernel.cli.main import main
from kernel.cli.multi_plan import Grammar, plan_nodes
from kernel.cli.places import Places

GRAMMAR = Grammar(
    options={"-A": True, "--app": True, "--workdir": True, "-q": False, "-c": True, "--concurrency": True, "-Q": True,
             "-l": True, "-E": False, "--task-events": False, "--pidfile": True, "-f": True, "--logfile": True,
             "-D": False, "--detach": False},
    before=frozenset({"-A", "--app", "--workdir", "-q"}),
    host="box.example.org",
    namespace="kernel",
    places=Places("/run/%n.pid", "/log/%n%I.log"),
    folder=Path("/here"),
)  # fmt: skip


def plan(text):
    return plan_nodes(text.split(), GRAMMAR)


def names(text):
    return [node.name for node in plan(text)]


def options(text):
    """What each node is given beside its name and files."""
    found = []
    for node in plan(text):
        own = [word for word in node.arguments if not word.startswith(("--hostname", "--pidfile", "--logfile"))]
        found.append(" ".join(own).replace("worker --detach", "|").strip())
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("w1", ["w1@box.example.org"]),
        ("w1 w2@other w3@%n", ["w1@box.example.org", "w2@other", "w3@box"]),
        ("2", ["kernel1@box.example.org", "kernel2@box.example.org"]),
        ("2 --range-prefix=node -n %d", ["node1@example.org", "node2@example.org"]),
        ("w1 --hostname near", ["w1@near"]),
    ],
)
def test_names(words, expected):
    assert names(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("2 -A proj -c 3", ["-A proj | -c 3"] * 2),
        ("-A proj w1 -E", ["-A proj | -E"]),
        ("3 -c 3 -c:1 10", ["| -c 3 -c 10", "| -c 3", "| -c 3"]),
        ("3 -c:1 10 -c 3", ["| -c 3 -c 10", "| -c 3", "| -c 3"]),
        ("5 -Q:1-3 images,video -Q:4,5 data", ["| -Q images,video"] * 3 + ["| -Q data"] * 2),
        ("w1 w2 -c:w2 4 -l:w2@box.example.org DEBUG", ["|", "| -c 4 -l DEBUG"]),
        ("w1 w2 -E:2 --concurrency:1=7", ["| --concurrency=7", "| -E"]),
        ("w1 --concurrency 7 -c8", ["| --concurrency=7 -c 8"]),
        ("w1 -D --detach -- -x y", ["| -x y"]),
        ("w1 --app=proj", ["--app=proj |"]),
    ],
)
def test_options_of_nodes(words, expected):
    assert options(words) == expected


def test_files():
    (node,) = plan("w1")
    assert node.pidfile == Path("/run/w1.pid")
    assert "--logfile=/log/w1%I.log" in node.arguments
    assert node.arguments[-3] == "--hostname=w1@box.example.org"
    one, two = plan("w1 w2 --pidfile=run/%n.pid --pidfile:2=/other/%p.pid -f log/%n-%h%I.log --workdir=app")
    assert one.pidfile == Path("/here/app/run/w1.pid")
    assert two.pidfile == Path("/other/w2@box.example.org.pid")
    assert "--logfile=/here/app/log/w1-box.example.org%I.log" in one.arguments
    assert f"--pidfile={two.pidfile}" in two.arguments
    assert one.expand("%n %h") == "w1 box.example.org"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", "No node"),
        ("-c 3", "No node"),
        ("0", "No node"),
        ("w1 w1", "twice"),
        ("w1 -c:2 3", "'2'"),
        ("3 -c:2-4 4", "'2-4'"),
        ("3 -c:3-2 4", "'3-2'"),
        ("3 -c:0 4", "'0'"),
        ("w1 -c:w9 3", "'w9'"),
        ("w1 --conc=3", "--concurrency"),
        ("w1 -z", "'-z'"),
        ("w1 -c", "needs a value"),
        ("w1 --task-events=yes", "no value"),
    ],
)
def test_words_that_make_no_plan(words, named):
    with pytest.raises(CommandError) as caught:
        plan(words)
    assert named in caught.value.one_line()
    assert exit_code(caught.value) == 64


def test_what_only_prints(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["multi"]) == main(["multi", "help"]) == main(["multi", "--help"]) == 0
    assert capsys.readouterr().out.count("Usage: kernel multi") == 3
    assert main(["multi", "names", "w1", "w2", "-n", "box"]) == 0
    assert capsys.readouterr().out == "w1@box\nw2@box\n"
    assert main(["-A", "proj", "multi", "show", "w1@box", "-c", "3", "--pidfile=%n.pid", "-f", "x y%I.log"]) == 0
    assert capsys.readouterr().out.endswith(
        f" --app=proj worker --detach -c 3 --hostname=w1@box --pidfile={tmp_path}/w1.pid"
        f" '--logfile={tmp_path}/x y%I.log'\n"
    )
    assert main(["multi", "expand", "%n at %h", "w1@box", "w2@box"]) == 0
    assert capsys.readouterr().out == "w1 at box\nw2 at box\n"
    assert main(["multi", "get", "w2", "w1@box", "w2@box", "-c:2", "9"]) == 0
    assert "-c 9 --hostname=w2@box" in capsys.readouterr().out
    for words, code in ((["get", "w3", "w1"], 66), (["get"], 64), (["strat", "w1"], 64)):
        assert main(["multi", *words]) == code
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


FILES = ("-A", "shop", "-c", "1", "--pidfile=%n.pid", "--logfile=%n%I.log", "-n", "box")


def test_nodes_from_start_to_end(yard):
    """The lines are those of the documents (features.md 1.28)."""
    head, *lines = yard.run("multi", "start", "w1", "w2", *FILES).stdout.splitlines()
    assert head.startswith("kernel multi v")
    assert lines == ["> Starting nodes...", "    > w1@box: OK", "    > w2@box: OK"]
    first = {name: yard.pid(f"{name}.pid") for name in ("w1", "w2")}
    assert None not in first.values()

    (yard.path / "w3.pid").write_text(f"{os.getpid()}\n")  # left by a crash, and the number is somebody else's by now
    again = yard.run("multi", "start", "w2", "w3", *FILES, code=73)
    assert again.stdout.splitlines()[2:] == ["    > w2@box: ERROR (exit code 73)", "    > w3@box: OK"]
    assert f"held by process {first['w2']}" in again.stderr

    lines = yard.run("multi", "restart", "w1", "w9", *FILES).stdout.splitlines()[1:]
    assert lines[:3] == ["> Stopping nodes...", f"    > w1@box: TERM -> {first['w1']}", "    > w9@box: DOWN"]
    assert lines[3].rstrip(".") == "> Waiting for 1 node"
    assert lines[4:] == ["    > w1@box: OK", "> Restarting node w1@box: OK", "> Restarting node w9@box: OK"]
    assert yard.pid("w1.pid") not in {None, first["w1"]}

    assert yard.run("multi", "kill", "w9", "-q", *FILES).stdout == ""
    yard.until(lambda: yard.pid("w9.pid") is None, "the end of w9")
    lines = yard.run("multi", "stopwait", "w1", "w2", "w3", "-QUIT", *FILES).stdout.splitlines()
    assert lines[1:3] == ["> Stopping nodes...", f"    > w1@box: QUIT -> {_pid(lines[2])}"]
    assert sorted(line for line in lines if line.endswith(": OK")) == [f"    > w{n}@box: OK" for n in (1, 2, 3)]
    assert [yard.pid(f"w{n}.pid") for n in (1, 2, 3)] == [None] * 3
    assert yard.run("multi", "stop", "w1", *FILES).stdout.splitlines()[2:] == ["    > w1@box: DOWN"]


def _pid(line):
    return line.rpartition(" ")[2]


def test_a_node_that_dies_at_its_start(yard):
    done = yard.run("multi", "start", "w1", "w2", "-A", "shop", "-P:w1", "nosuch", *FILES[2:], code=78)
    assert done.stdout.splitlines()[2:] == ["    > w1@box: ERROR (exit code 78)", "    > w2@box: OK"]
    assert done.stderr.startswith("w1@box: kernel: error: ")
    assert len(done.stderr.splitlines()) == 1
    pid = yard.pid("w2.pid")
    os.kill(pid, signal.SIGKILL)
    yard.until(lambda: yard.pid("w2.pid") is None, "its end")
    assert (yard.path / "w2.pid").exists()
    assert yard.run("multi", "stop", "w2", *FILES).stdout.endswith("w2@box: DOWN\n")
