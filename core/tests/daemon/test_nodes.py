"""``kernel worker --nodes``: several nodes and who looks after them."""

import os
import re
import signal
from pathlib import Path

FILES = ("--pidfile", "w.pid", "--logfile", "%n.log")
WORKER = ("-A", "shop", "worker", "-D", "-n", "w", "-c", "1", "-P", "threads", "--nodes", "2", *FILES)


def _pids(yard):
    """The last process of each node, as the supervisor told."""
    told = re.findall(r"Node (\d) runs as process (\d+)", yard.log("w.log"))
    return {int(number): int(pid) for number, pid in told}


def _ready(yard, name):
    return yard.log(f"{name}.log").count(f"{name}@{os.uname().nodename} ready.")


def test_a_node_that_dies_is_started_again_and_all_end_together(yard):
    yard.run(*WORKER)
    supervisor = yard.pid("w.pid")
    yard.until(lambda: _ready(yard, "w1") and _ready(yard, "w2"), "both nodes")
    first = _pids(yard)
    assert len({supervisor, *first.values()}) == 3

    os.kill(first[2], signal.SIGKILL)
    yard.until(lambda: _ready(yard, "w2") == 2, "the second start")
    second = _pids(yard)
    assert second[1] == first[1]
    assert second[2] != first[2]

    os.kill(supervisor, signal.SIGHUP)
    yard.until(lambda: _ready(yard, "w1") == 2 and _ready(yard, "w2") == 3, "new beginnings")
    assert _pids(yard) == second

    yard.stop("w.pid")
    assert not any(_lives(pid) for pid in second.values())


def test_nodes_end_when_their_supervisor_is_gone(yard):
    yard.run(*WORKER)
    yard.until(lambda: _ready(yard, "w1") and _ready(yard, "w2"), "both nodes")
    nodes = _pids(yard)
    os.kill(yard.pid("w.pid"), signal.SIGKILL)
    yard.until(lambda: not any(_lives(pid) for pid in nodes.values()), "the end of the nodes")
    assert "Stopping: 0 tasks" in yard.log("w1.log")


def _lives(pid):
    """Whether it runs; one that ended may wait long for somebody to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_what_cannot_run_is_told_once(yard):
    assert "pool.nosuch" in yard.run(*WORKER[:8], "--nodes", "2", "-P", "nosuch", code=78).stderr
    assert "--purge" in yard.run(*WORKER, "--purge", code=64).stderr
    assert yard.pid("w.pid") is None
