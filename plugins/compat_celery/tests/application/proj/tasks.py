"""Tasks of the seeds and of the calling guide."""

import os
import signal
import time

import celery
from celery import shared_task
from celery.exceptions import Ignore, Reject
from celery.result import allow_join_result
from celery.utils.log import get_task_logger
from proj.base import DatabaseTask, DebugTask, HandledTask, RequestedTask
from proj.celery import app
from proj.notes import note, noted

logger = get_task_logger(__name__)


@app.task
def add(x, y):
    return x + y


@app.task
def mul(x, y):
    return x * y


@app.task
def xsum(numbers):
    return sum(numbers)


@app.task(typing=False)
def unchecked(x):
    return x


@app.task(bind=True)
def hello(self, a, b):
    time.sleep(1.5)
    self.update_state(state="PROGRESS", meta={"progress": 50})
    time.sleep(0.3)
    self.update_state(state="PROGRESS", meta={"progress": 90})
    time.sleep(0.3)
    return f"hello world: {a + b}"


@app.task
def fail(text="no good"):
    raise ValueError(text)


@app.task
def error_handler(request, exc, traceback):
    note(request.id, errback="three", exc=repr(exc), traceback=isinstance(traceback, str), args=list(request.args))


@app.task
def one_argument(task_id):
    with allow_join_result():
        result = app.AsyncResult(task_id)
        exc = result.get(propagate=False)
    note(task_id, errback="one", exc=repr(exc), traceback="ValueError" in result.traceback)


@app.task
def write(text, subject):
    note(subject, text=text)


@app.task(ignore_result=True)
def ignored(subject):
    note(subject, ran=True)
    return 3


@app.task(bind=True, track_started=True)
def slow(self, seconds):
    time.sleep(seconds)
    return self.request.id


@app.task
def waits_for_a_subtask():
    try:
        add.delay(1, 1).get(timeout=5)
    except RuntimeError as exc:
        return f"RuntimeError: {str(exc)[:35]}"
    return "it waited"


@app.task(bind=True)
def describe_request(self, *args, **kwargs):
    request = self.request
    info = request.delivery_info
    return {
        "id": request.id == self.request.id and len(request.id) == 36,
        "args": list(request.args),
        "kwargs": dict(request.kwargs),
        "retries": request.retries,
        "is_eager": bool(request.is_eager),
        "called_directly": request.called_directly,
        "eta": request.eta is not None,
        "expires": request.expires is not None,
        "hostname": request.hostname,
        "routing_key": info["routing_key"],
        "priority": info.get("priority"),
        "redelivered": bool(info.get("redelivered")),
        "reply_to": bool(request.reply_to),
        "timelimit": list(request.timelimit),
        "callbacks": len(request.callbacks or []),
        "errbacks": len(request.errbacks or []),
        "utc": request.utc,
        "root_is_id": request.root_id == request.id,
        "parent_id": request.parent_id,
        "chain": len(request.chain or []),
        "group": request.group is not None,
        "group_index": request.group_index,
        "chord": request.chord is not None,
        "correlation_is_id": request.correlation_id == request.id,
        "origin": "@" in (request.origin or ""),
        "shadow": request.shadow,
        "ignore_result": bool(request.ignore_result),
        "own_header": (request.headers or {}).get("my_header"),
        "children": len(request.children or []),
        "replaced_task_nesting": request.replaced_task_nesting,
    }


@app.task(bind=True, base=DatabaseTask)
def uses_database(self):
    self.db["connected"] += 1
    return sorted(self.db)


@app.task(base=DebugTask)
def debugged(x, subject):
    return x * 2


@app.task(base=HandledTask)
def handled(x):
    return x


@app.task(base=HandledTask)
def handled_failure():
    raise ValueError("handled")


@app.task(base=HandledTask, bind=True, default_retry_delay=0)
def handled_retry(self):
    if self.request.retries < 1:
        raise self.retry(exc=ValueError("again"), countdown=0)
    return "done"


@app.task(base=RequestedTask)
def requested():
    raise KeyError("requested")


@app.task(base=RequestedTask, time_limit=1)
def requested_too_long():
    time.sleep(30)


@app.task
def logs(marker):
    logger.info("logged %s", marker)
    print(f"printed {marker}")
    return marker


@app.task(bind=True, max_retries=5)
def send_twitter_status(self, oauth, tweet, fail_times=2):
    try:
        if self.request.retries < fail_times:
            raise ConnectionError("fail whale")
    except ConnectionError as exc:
        raise self.retry(exc=exc, countdown=0)
    return [tweet, self.request.retries]


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def gives_up(self, with_exception):
    exc = KeyError("the reason") if with_exception else None
    raise self.retry(exc=exc, countdown=0)


@app.task(bind=True, autoretry_for=(ZeroDivisionError,), retry_kwargs={"max_retries": 2}, retry_backoff=0.01)
def refresh_timeline(self, subject):
    note(subject, retries=self.request.retries)
    return 1 / 0


@app.task(autoretry_for=(Exception,), dont_autoretry_for=(KeyError,), default_retry_delay=0)
def not_for_key_errors(subject):
    note(subject, ran=True)
    raise KeyError(subject)


@app.task(bind=True)
def with_ignore(self, by_hand):
    if by_hand:
        self.update_state(state="SUCCESS", meta={"by": "hand"})
    if self.request.called_directly:
        return "called directly"
    raise Ignore


@app.task(bind=True, acks_late=True)
def render_scene(self, path):
    if path == "too-big":
        raise Reject(MemoryError(path), requeue=False)
    if path == "once" and not noted(self.request.id):
        note(self.request.id, rejected=True)
        raise Reject("again", requeue=True)
    return f"rendered {path}"


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def kills_its_process_once(self):
    note(self.request.id, ran=True)
    if len(noted(self.request.id)) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task(bind=True)
def kills_its_process(self):
    note(self.request.id, ran=True)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def fetch_page(url):
    return f"page of {url}"


@app.task
def parse_page(page):
    return {"length": len(page)}


@app.task(ignore_result=True)
def store_page_info(info, url, subject):
    note(subject, info=info, url=url)


@shared_task
def shared(x):
    return x + 1


@shared_task(bind=True, name="proj.named_by_hand")
def named(self):
    return self.name


class NaiveAuthenticateServer(celery.Task):
    """A class with state: one object per process."""

    name = "proj.tasks.authenticate"
    made = 0

    def __init__(self):
        type(self).made += 1
        self.users = {"george": "password"}

    def run(self, username, password):
        return [self.users.get(username) == password, type(self).made]


authenticate = app.register_task(NaiveAuthenticateServer())
