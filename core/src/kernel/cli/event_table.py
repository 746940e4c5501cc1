"""What ``kernel events`` shows on a terminal: the state of a cluster as lines of text, made without a terminal."""

from datetime import datetime
from typing import Final, NamedTuple

from kernel.runtime.seen_state import State
from kernel.runtime.seen_task import Task

KEYS: Final = "q quit   j/k move   "
_DETAILS: Final = 6
_FRAME: Final = 4
"""Lines that are no tasks: two of totals, the titles and the keys."""


class Row(NamedTuple):
    """One line. ``style`` is "bold", "reverse" or ""."""

    text: str
    style: str = ""


class View(NamedTuple):
    """A terminal's size, and the id of the task that is looked at, None for the newest."""

    height: int
    width: int
    selected: str | None = None


def table(state: State, view: View) -> list[Row]:
    """The whole screen, from top to bottom, no longer and no wider than it is."""
    workers = sorted(state.alive_workers(), key=lambda worker: worker.hostname or "")
    names = ", ".join(f"{worker.hostname} ({worker.active or 0} active)" for worker in workers)
    room = max(1, view.height - _FRAME - _DETAILS)
    tasks = [task for _, task in state.tasks_by_time(limit=room)]
    chosen = next((task for task in tasks if task.uuid == view.selected), tasks[0] if tasks else None)
    rows = [
        Row(f"kernel events   {len(workers)} workers, {len(state.tasks)} tasks, {state.event_count} events", "bold"),
        Row(names or "no worker has been heard of yet"),
        Row(_columns("TIME", "STATE", "WORKER", "TASK"), "bold"),
        *(Row(_line(task), "reverse" if task is chosen else "") for task in tasks),
    ]
    rows += [Row("")] * (room - len(tasks)) + _details(chosen) + [Row(KEYS, "bold")]
    return [Row(row.text[: max(0, view.width - 1)], row.style) for row in rows[: view.height]]


def neighbour(state: State, view: View, step: int) -> str | None:
    """The id of the task ``step`` lines below the one that is looked at, as far as there is one."""
    room = max(1, view.height - _FRAME - _DETAILS)
    shown = [uuid for uuid, _ in state.tasks_by_time(limit=room)]
    if not shown:
        return None
    at = shown.index(view.selected) if view.selected in shown else 0
    return shown[min(max(at + step, 0), len(shown) - 1)]


def _columns(time: str, name: str, worker: str, task: str) -> str:
    return f"{time:<8}  {name:<9}  {worker:<24.24}  {task}"


def _line(task: Task) -> str:
    time = "" if task.timestamp is None else datetime.fromtimestamp(task.timestamp).astimezone().strftime("%H:%M:%S")
    worker = "" if task.worker is None else str(task.worker.hostname)
    return _columns(time, task.state, worker, f"{task.name or '?'}[{task.uuid}]")


def _details(task: Task | None) -> list[Row]:
    """What is known of one task, in as many lines whatever it is."""
    known = {} if task is None else task.info(["args", "kwargs", "result", "exception", "runtime", "retries"])
    rows = [Row(f"  {name}: {' '.join(str(value).split())}") for name, value in known.items()][: _DETAILS - 1]
    return [Row(""), *rows, *[Row("")] * (_DETAILS - 1 - len(rows))]
