"""A worker that dies in the middle of a task: the worker of the other library runs it again."""

import os
import signal
from contextlib import ExitStack

import pytest

from .conftest import Notes
from .sides import Client, Side, Site, Worker


@pytest.mark.parametrize("victim", ["celery", "kernel"])
def test_a_task_whose_worker_was_killed_is_run_by_the_other_library(
    clients: dict[Side, Client], site: Site, notes: Notes, victim: Side
) -> None:
    heir: Side = "kernel" if victim == "celery" else "celery"
    queue, client = f"left-by-{victim}", clients[heir]
    first = Worker(victim, site, [queue], ("-c", "1"), name=f"{victim}-victim")
    with ExitStack() as stack:
        stack.callback(first.stop)
        task_id = client.send("shared.hand_over", str(notes), victim, queue=queue)
        (line,) = notes.wait(1, 60)
        for pid in (first.process.pid, line["pid"]):  # the executor would go on for a while without its node
            os.kill(pid, signal.SIGKILL)
        first.process.wait(10)

        second = Worker(heir, site, [queue], ("-c", "1"), name=f"{heir}-heir")
        stack.callback(second.stop)

        assert client.value(task_id, 60) == heir
        assert [line["side"] for line in notes.lines()] == [victim, heir]
        assert second.running
