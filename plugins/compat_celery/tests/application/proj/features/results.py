"""1.3 results, 1.4 states, 1.5 messages, 1.14 options of results."""

import time
import uuid

from celery import Celery, states
from celery.exceptions import TimeoutError
from celery.result import AsyncResult, allow_join_result
from proj import tasks
from proj.celery import app
from proj.features.calling import T, raised
from proj.notes import wait_for
from proj.tasks import add


def results():
    good, bad = add.delay(4, 4), tasks.fail.delay("on purpose")
    value = good.get(timeout=T)
    error = bad.get(timeout=T, propagate=False)
    called = []
    good.get(timeout=T, callback=lambda task_id, value: called.append([task_id == good.id, value]))
    disabled = Celery("none", broker="memory://", set_as_current=False)
    inside = tasks.waits_for_a_subtask.delay().get(timeout=T)
    good.forget()
    with allow_join_result():
        allowed = add.delay(1, 1).get(timeout=T)
    return {
        "value": value,
        "raised": raised(bad.get, timeout=T),
        "not raised": repr(error),
        "traceback": "ValueError: on purpose" in bad.traceback,
        "ready": [good.ready(), bad.ready(), bad.failed(), bad.successful()],
        "info": repr(bad.info),
        "status": bad.status,
        "forgotten": AsyncResult(good.id, app=app).state,
        "repr": repr(good).replace(good.id, "ID"),
        "unknown": app.AsyncResult("this-id-does-not-exist").state,
        "timeout": raised(tasks.slow.delay(3).get, timeout=0.1)[0],
        "timeout is": issubclass(TimeoutError, Exception),
        "wait": add.delay(1, 2).wait(timeout=T),
        "callback": called,
        "ignored": tasks.ignored.delay(f"ignored-{good.id}").get(timeout=T),
        "inside a task": inside,
        "allowed": allowed,
        "disabled": is_refused(disabled),
        "equal": app.AsyncResult("x") == app.AsyncResult("x"),
        "as text": str(app.AsyncResult("x")),
        "of a task": add.AsyncResult(bad.id).state,
    }


def is_refused(app):
    try:
        app.AsyncResult("x").get(timeout=1)
    except NotImplementedError:
        return True
    return False


def state_names():
    started = tasks.slow.delay(2)
    info, deadline = {}, time.monotonic() + T
    while not info and not started.ready() and time.monotonic() < deadline:
        info = started.info if started.state == states.STARTED else {}
    started.get(timeout=T)
    add.update_state("a-custom-one", "CUSTOM", {"at": 3})
    own = app.AsyncResult("a-custom-one")
    return {
        "started": sorted(info),
        "then": started.state,
        "custom": [own.state, own.info, own.ready()],
        "sets": {
            name: sorted(getattr(states, name))
            for name in ("READY_STATES", "UNREADY_STATES", "EXCEPTION_STATES", "PROPAGATE_STATES", "ALL_STATES")
        },
        "order": states.state("PENDING") < states.state("STARTED") < states.state("SUCCESS"),
        "precedence": states.precedence("X"),
    }


def on_message():
    every = []
    result = tasks.hello.apply_async(args=(1, 1))
    value = result.get(on_message=every.append, propagate=False, timeout=T)
    bodies = [body for body in every if body["task_id"] == result.id]
    told = list(dict.fromkeys((body["status"], repr(body["result"])) for body in bodies))  # each once
    return {
        "value": value,
        "states": [status for status, _ in told],
        "progress": [body["result"] for body in bodies[:2]],
        "keys": sorted({"task_id", "status", "result", "traceback", "children"} & set(bodies[0])),
    }


def result_options():
    subject = f"ignored-{uuid.uuid4()}"
    extended = add.delay(3, y=4)
    extended.get(timeout=T)
    tasks.ignored.delay(subject)
    kept = tasks.ignored.apply_async((subject,), ignore_result=False)
    dropped = add.apply_async((1, 2), ignore_result=True)
    ran = wait_for(subject, 2)
    return {
        "by task": [tasks.ignored.ignore_result, add.ignore_result],
        "ran": ran,
        "kept": kept.get(timeout=T),
        "dropped": dropped.get(timeout=T),
        "extended": {
            "name": extended.name,
            "args": list(extended.args),
            "kwargs": dict(extended.kwargs),
            "retries": extended.retries,
            "queue": extended.queue,
            "worker": extended.worker,
        },
        "expires": app.conf.result_expires,
    }
