"""SIGKILL at the worst moments: nothing with late ack is lost, and every finished task's result is readable."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from kernel.exceptions import TimeLimitExceeded, WorkerLostError

from .conftest import until

pytestmark = [pytest.mark.slow, pytest.mark.timed]


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
        except OSError:
            continue
        if fields and int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def descendants(pid: int) -> set[int]:
    direct = children(pid)
    return {*direct, *(each for child in direct for each in descendants(child))}


def test_an_executor_killed_during_a_task(site, tasks):
    site.worker("-c", "2")
    killed = [tasks.die_once.delay(n) for n in range(3)]
    others = [tasks.late.delay(n) for n in range(20)]
    assert [r.get(timeout=60) for r in killed] == [0, 2, 4]
    assert [r.get(timeout=60) for r in others] == [n * 2 for n in range(20)]


def test_the_whole_node_killed_during_tasks(site, tasks):
    first = site.worker("-c", "2")
    results = [tasks.late.delay(n, 0.02) for n in range(150)]
    until(lambda: len(site.log()) > 60, what="the first worker to be in the middle")
    family = descendants(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(10)
    until(lambda: not [p for p in family if Path(f"/proc/{p}").exists()], 30, "the executors of the dead node to end")
    site.worker("-c", "2")
    assert [r.get(timeout=90) for r in results] == [n * 2 for n in range(150)]
    starts = Counter(line for line in site.log() if line.startswith("start"))
    assert len(starts) == 150
    assert sum(starts.values()) <= 150 + 2 * 128  # only what was handed out may run again


def test_a_publisher_killed_in_the_middle_of_a_batch(site, tasks):
    publisher = site.run(
        "import chaosapp\n"
        "from kernel import group\n"
        "while True:\n"
        "    batch = group(chaosapp.late.s(n) for n in range(50)).apply_async()\n"
        "    print(*[r.id for r in batch.results], flush=True)\n"
    )
    assert publisher.stdout is not None
    confirmed = [publisher.stdout.readline() for _ in range(5)]
    os.kill(publisher.pid, signal.SIGKILL)
    rest = publisher.stdout.read().split(b"\n")[:-1]
    publisher.wait(10)
    publisher.stdout.close()
    ids = b" ".join([*confirmed, *rest]).decode().split()
    assert len(ids) >= 250
    site.worker("-c", "2")
    assert all(tasks.app.AsyncResult(task_id).get(timeout=90) is not None for task_id in ids)
    assert "cannot be read" not in site.worker_log()


def test_a_poison_task_is_quarantined_and_others_go_on(site, tasks):
    site.worker("-c", "2")
    bad = tasks.poison.delay()
    good = [tasks.late.delay(n) for n in range(20)]
    assert [r.get(timeout=60) for r in good] == [n * 2 for n in range(20)]
    with pytest.raises(WorkerLostError):
        bad.get(timeout=60)
    assert site.log().count("poison") == 3
    listed = site.run(
        "import sys; sys.argv = ['kernel', '-A', 'chaosapp', 'quarantine', 'list', '--output', 'json']\n"
        "from kernel.cli.main import main; main()"
    )
    out, _ = listed.communicate(timeout=30)
    assert bad.id.encode() in out


def test_an_early_acknowledged_task_never_runs_twice(site, tasks):
    site.worker("-c", "1")
    lost = tasks.die_early.delay()
    with pytest.raises(WorkerLostError):
        lost.get(timeout=60)
    assert tasks.late.delay(4).get(timeout=60) == 8
    assert site.log().count("die_early") == 1


def test_a_hard_time_limit_kills_one_executor_only(site, tasks):
    site.worker("-c", "2")
    slow = tasks.too_long.delay()
    assert [tasks.late.delay(n).get(timeout=60) for n in range(5)] == [0, 2, 4, 6, 8]
    with pytest.raises(TimeLimitExceeded):
        slow.get(timeout=60)
    assert tasks.late.delay(4).get(timeout=60) == 8


def test_a_warm_shutdown_finishes_what_runs_and_gives_the_rest_back(site, tasks):
    first = site.worker("-c", "2")
    results = [tasks.late.delay(n, 0.05) for n in range(60)]
    until(lambda: len(site.log()) > 20, what="the first worker to be in the middle")
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait(30) == 0
    done = site.log()
    starts = {line.split()[1] for line in done if line.startswith("start")}
    assert starts == {line.split()[1] for line in done if line.startswith("end")}
    site.worker("-c", "2")
    assert [r.get(timeout=60) for r in results] == [n * 2 for n in range(60)]
    again = Counter(line for line in site.log() if line.startswith("start"))
    assert set(again.values()) == {1}  # nothing that finished was run again
