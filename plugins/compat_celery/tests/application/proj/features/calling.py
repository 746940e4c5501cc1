"""1.1 calling, 1.2 linking, 1.6 countdown, 1.7 expiration, 1.8 publish retry, 1.9 connection errors."""

import time
import uuid
import warnings
from datetime import datetime, timedelta, timezone

from celery import Celery
from celery.exceptions import TaskRevokedError
from celery.utils.log import get_logger
from proj import tasks
from proj.celery import app
from proj.notes import noted, wait_for
from proj.tasks import add

T = 40
logger = get_logger(__name__)


def raised(function, *args, **kwargs):
    """The class and text of what a call raises."""
    try:
        function(*args, **kwargs)
    except Exception as exc:
        return [type(exc).__name__, str(exc)]
    return None


def calling():
    now = datetime.now(timezone.utc)
    own_id = f"my_own_task_id-{uuid.uuid4()}"
    result = add.delay(2, 2)
    late = tasks.unchecked.delay()
    return {
        "delay": result.get(timeout=T),
        "uuid4": uuid.UUID(result.id).version,
        "delay with keywords": add.delay(1, y=5).get(timeout=T),
        "apply_async": add.apply_async((1,), {"y": 2}).get(timeout=T),
        "called": add(2, 2),
        "signature delay": add.s(1, 2).delay().get(timeout=T),
        "signature apply_async": add.s(1, y=2).apply_async().get(timeout=T),
        "signature called": add.s(2, 2)(),
        "countdown": add.apply_async((1, 1), countdown=0.2).get(timeout=T),
        "eta": add.apply_async((1, 1), eta=now + timedelta(seconds=0.2)).get(timeout=T),
        "countdown and expires": add.apply_async((1, 1), countdown=0.1, expires=120).get(timeout=T),
        "expires at": add.apply_async((1, 1), expires=now + timedelta(days=2)).get(timeout=T),
        "task_id": add.apply_async((1, 1), task_id=own_id).id == own_id,
        "send_task": app.send_task("proj.tasks.add", (3, 4)).get(timeout=T),
        "send_task to a queue": app.send_task("proj.tasks.add", (1, 1), queue="hipri").get(timeout=T),
        "too few": raised(add.delay, 1),
        "too many": raised(add.apply_async, (1, 2, 3)),
        "unknown keyword": raised(add.delay, 1, 2, z=3),
        "args that are none": raised(add.apply_async, 1, 2)[0],
        "typing off": type(late.get(timeout=T, propagate=False)).__name__,
        "eager": add.apply((2, 3)).get(),
        "shared": tasks.shared.delay(1).get(timeout=T),
    }


def linking():
    linked = add.apply_async((2, 2), link=add.s(16))
    linked.get(timeout=T)
    subject = f"order-{linked.id}"
    several = add.apply_async((1, 1), link=[tasks.write.si("one", subject), tasks.write.si("two", subject)])
    failed = tasks.fail.apply_async(("three",), link_error=tasks.error_handler.s())
    alone = tasks.fail.apply_async(("one",), link_error=tasks.one_argument.s())
    both = tasks.fail.apply_async(
        link_error=[tasks.write.si("first", f"both-{subject}"), tasks.write.si("second", f"both-{subject}")]
    )
    several.get(timeout=T)
    for each in (failed, alone, both):
        each.get(timeout=T, propagate=False)
    return {
        "callback": linked.children[0].get(timeout=T),
        "list": sorted(line["text"] for line in wait_for(subject, 2)),
        "errback with three arguments": wait_for(failed.id),
        "errback with one argument": wait_for(alone.id),
        "errbacks": sorted(line["text"] for line in wait_for(f"both-{subject}", 2)),
        "signature link": add.s(1, 1).set(link=add.s(1)).delay().get(timeout=T),
    }


def countdown():
    start = time.monotonic()
    value = add.apply_async((2, 2), countdown=1).get(timeout=T)
    took = time.monotonic() - start
    naive = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=0.3)
    return {
        "value": value,
        "not before": took >= 0.98,
        "floats": add.apply_async((1, 1), countdown=0.25).get(timeout=T),
        "naive": add.apply_async((1, 1), eta=naive).get(timeout=T),
        "the past": add.apply_async((1, 1), countdown=-5).get(timeout=T),
        "countdown wins": add.apply_async((1, 1), countdown=0.1, eta=naive + timedelta(days=3)).get(timeout=T),
        "out of range": raised(add.apply_async, (1, 1), countdown=-1e12)[0],
    }


def expiration():
    subject = f"expired-{uuid.uuid4()}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expired = tasks.write.apply_async(("x", subject), expires=datetime.now(timezone.utc) - timedelta(seconds=30))
    delayed = tasks.write.apply_async(("x", subject), countdown=1.2, expires=0.3)
    states = []
    for result in (expired, delayed):
        exc = result.get(timeout=T, propagate=False)
        states.append([result.state, type(exc).__name__, isinstance(exc, TaskRevokedError)])
    return {"states": states, "ran": noted(subject), "in time": add.apply_async((10, 10), expires=60).get(timeout=T)}


def publish_retry():
    """Nobody listens at port 1: retries are waited for, or not."""
    gone = Celery("gone", broker="redis://127.0.0.1:1/0", set_as_current=False, broker_connection_timeout=1)

    @gone.task
    def unreachable():
        """Never sent."""

    policy = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}
    start = time.monotonic()
    error = raised(unreachable.apply_async, retry=True, retry_policy=policy)
    return {
        "once": raised(unreachable.apply_async, retry=False)[0],
        "retried": error[0],
        "waited": time.monotonic() - start >= 0.2,
        "settings": [app.conf.task_publish_retry, app.conf.task_publish_retry_policy["max_retries"]],
        "retry on a good connection": add.apply_async((2, 2), retry=True, retry_policy=policy).get(timeout=T),
    }


def connection_errors():
    gone = Celery("gone", broker="redis://127.0.0.1:1/0", set_as_current=False, broker_connection_timeout=1)

    @gone.task
    def out_of_reach():
        """Never sent."""

    try:
        out_of_reach.apply_async(retry=False)
    except out_of_reach.OperationalError as exc:
        logger.debug("Sending task raised: %r", exc)
        return {"caught": type(exc).__name__}
    return {"caught": None}
