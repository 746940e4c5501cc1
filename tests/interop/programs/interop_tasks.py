"""The tasks that both workers have, under the same names."""

import json
import os
import time
from importlib import import_module
from pathlib import Path

from interop_app import SIDE, app
from interop_errors import Overdrawn


def note(path, **facts):
    """Add one line, in one write, so that lines of several processes never mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps({"side": SIDE, **facts}).encode() + b"\n")
    finally:
        os.close(file)


@app.task(name="shared.whoami")
def whoami():
    return SIDE


@app.task(name="shared.add")
def add(x, y):
    return x + y


@app.task(name="shared.total")
def total(numbers):
    return sum(numbers)


@app.task(name="shared.count")
def count(values):
    return len(values)


@app.task(name="shared.same")
def same(value):
    return value


@app.task(name="shared.visit")
def visit(trail):
    """Add this side to a list: the steps of a chain show who ran them."""
    return [*trail, SIDE]


@app.task(name="shared.echo")
def echo(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}


@app.task(name="shared.write")
def write(path, *values):
    note(path, values=list(values), at=time.time())


@app.task(name="shared.write_trail")
def write_trail(trail, path):
    """A link: it gets the result first."""
    note(path, trail=trail)


@app.task(name="shared.silent", ignore_result=True)
def silent(path, value):
    note(path, values=[value], at=time.time())
    return value


@app.task(name="shared.request", bind=True)
def request(self, *args):
    """What the message said of itself."""
    mine = self.request
    info = mine.delivery_info or {}
    return {
        "side": SIDE,
        "id": mine.id,
        "task": mine.task,
        "args": list(mine.args),
        "retries": mine.retries,
        "eta": mine.eta,
        "expires": mine.expires,
        "timelimit": list(mine.timelimit or (None, None)),
        "group": mine.group,
        "group_index": mine.group_index,
        "root_id": mine.root_id,
        "parent_id": mine.parent_id,
        "shadow": mine.shadow,
        "ignore_result": bool(mine.ignore_result),
        "correlation_id": mine.correlation_id,
        "reply_to": mine.reply_to,
        "headers": mine.headers,
        "priority": info.get("priority"),
        "routing_key": info.get("routing_key"),
        "redelivered": info.get("redelivered"),
    }


@app.task(name="shared.fail")
def fail(kind):
    if kind == "builtin":
        raise ValueError("not this", 7)
    if kind == "shared":
        raise Overdrawn("savings", 30)
    raise import_module(f"only_{SIDE}").Stranger("a stranger", [1, 2])


@app.task(name="shared.fail_after")
def fail_after(before, kind):
    fail(kind)


@app.task(name="shared.flaky", bind=True, max_retries=5)
def flaky(self, times):
    """Succeed after so many retries; tells how many there were and who ran the last."""
    if self.request.retries < times:
        raise self.retry(countdown=0.2, exc=ValueError("again"))
    return {"retries": self.request.retries, "side": SIDE, "id": self.request.id}


@app.task(name="shared.give_up", bind=True, max_retries=2)
def give_up(self):
    """The pause is long enough for a worker of Celery to store RETRY before another stores what follows."""
    raise self.retry(countdown=0.5, exc=Overdrawn("checking", self.request.retries))


@app.task(name="shared.exhaust", bind=True, max_retries=1)
def exhaust(self):
    """Runs out of retries without an exception of its own."""
    raise self.retry(countdown=0.1)


@app.task(name="shared.progress", bind=True)
def progress(self, steps):
    for step in range(steps):
        self.update_state(state="PROGRESS", meta={"step": step, "of": steps})
    return steps


@app.task(name="shared.hold", bind=True)
def hold(self, state, meta, path):
    """Store a state of its own, and stay in it until a file is there."""
    self.update_state(state=state, meta=meta)
    while not Path(path).exists():
        time.sleep(0.05)
    return meta


@app.task(name="shared.failed", bind=True)
def failed(self, task_id, path):
    """An error link that is sent as a task: it gets the id of the task that failed."""
    note(path, failed=task_id, parent=self.request.parent_id, root=self.request.root_id)


@app.task(name="shared.call_other", bind=True)
def call_other(self, queue):
    """Call a task of the other worker and leave."""
    return app.send_task("shared.whoami", queue=queue).id


@app.task(name="shared.slow")
def slow(path, seconds):
    """Say that it runs, and by which process, then take so long."""
    note(path, pid=os.getpid())
    time.sleep(seconds)
    return SIDE


@app.task(name="shared.block")
def block(path, go):
    """Say that it runs, then take until that file is there, a minute at most."""
    note(path, pid=os.getpid())
    end = time.monotonic() + 60
    while not Path(go).exists() and time.monotonic() < end:
        time.sleep(0.02)
    return SIDE


@app.task(name="shared.hand_over", acks_late=True, reject_on_worker_lost=True)
def hand_over(path, victim):
    """Say who runs it; on the side of the victim, wait to be killed."""
    note(path, pid=os.getpid())
    if victim == SIDE:
        time.sleep(60)
    return SIDE
