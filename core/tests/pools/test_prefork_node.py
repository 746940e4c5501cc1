"""A node that is killed leaves nothing behind: children finish within their time, then all is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pools_fakes import until

HERE = Path(__file__).parent


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_killed_node_takes_everything_with_it(method: str, tmp_path: Path) -> None:
    node = subprocess.Popen(
        [sys.executable, HERE / "pools_node.py", method, "6", tmp_path],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert node.stdout is not None
    nursery, *children = map(int, node.stdout.readline().split())
    assert len(children) >= 1
    node.send_signal(signal.SIGKILL)
    node.wait(20)
    node.stdout.close()
    killed_at = time.monotonic()

    # the one that sleeps 1.5 s finishes, commits and closes; idle ones close at once
    until(lambda: (tmp_path / "trace").read_text().count("close") >= len(children) - 1)
    until(lambda: sum(map(alive, children)) <= 1)
    assert time.monotonic() - killed_at < 5.9 or not alive(nursery)
    until(lambda: not any(map(alive, [nursery, *children])), timeout=30)
    assert time.monotonic() - killed_at > 1.0


def test_children_of_a_dead_node_are_killed_in_time(tmp_path: Path) -> None:
    node = subprocess.Popen(
        [sys.executable, HERE / "pools_node.py", "fork", "0.2", tmp_path],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert node.stdout is not None
    family = [int(pid) for pid in node.stdout.readline().split()]
    node.send_signal(signal.SIGKILL)
    node.wait(20)
    node.stdout.close()
    until(lambda: not any(map(alive, family)), timeout=20)
    assert (tmp_path / "trace").read_text().count("close") <= len(family) - 2
