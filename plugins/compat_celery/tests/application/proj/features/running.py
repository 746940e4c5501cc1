"""1.19 handlers, 1.20 requests, 1.21 request attributes, 1.22 logging, 1.23 retry, 1.24 acks, 1.25 semipredicates."""

import os
import re
import time
import uuid

from celery.exceptions import Ignore, MaxRetriesExceededError, Reject, Retry, WorkerLostError
from proj import tasks
from proj.features.calling import T, raised
from proj.notes import noted, wait_for
from proj.tasks import add


def handlers():
    good, bad, again = tasks.handled.delay(3), tasks.handled_failure.delay(), tasks.handled_retry.delay()
    for result in (good, bad, again):
        result.get(timeout=T, propagate=False)
    return {
        "success": wait_for(good.id, 3),
        "failure": wait_for(bad.id, 3),
        "retry": in_any_order(wait_for(again.id, 5)),
        "signals of success": in_any_order(wait_for(f"signals-{good.id}", 5)),
        "signals of failure": in_any_order(wait_for(f"signals-{bad.id}", 5)),
        "signals of retry": in_any_order(wait_for(f"signals-{again.id}", 8)),
    }


def in_any_order(lines):
    """Of two runs in two processes, of which the second may begin before the first has ended."""
    return sorted(lines, key=repr)


def custom_request():
    failed, late = tasks.requested.delay(), tasks.requested_too_long.delay()
    errors = [type(result.get(timeout=T, propagate=False)).__name__ for result in (failed, late)]
    return {"errors": errors, "failed": wait_for(failed.id), "late": in_any_order(wait_for(late.id, 2))}


def request_attributes():
    plain = tasks.describe_request.delay(1, k=2)
    options = {"countdown": 0.1, "expires": 60, "time_limit": 50, "soft_time_limit": 40}
    options["headers"] = {"my_header": "mine"}
    full = tasks.describe_request.apply_async(
        link=add.si(1, 1), link_error=tasks.error_handler.s(), shadow="another name", **options
    )
    found = {"plain": plain.get(timeout=T), "full": full.get(timeout=T)}
    utc = [each.pop("utc") for each in found.values()]
    return {**found, "utc": utc, "direct": tasks.describe_request.request.called_directly}


def logging_lines():
    marker = f"marker{uuid.uuid4().hex[:8]}"
    result = tasks.logs.delay(marker)
    result.get(timeout=T)
    deadline = time.monotonic() + T
    wanted = {
        "task name and id": rf"proj\.tasks\.logs\[{result.id}\]: logged {marker}",
        "printed at WARNING": rf"WARNING.*printed {marker}",
        "received": rf"[Tt]ask proj\.tasks\.logs\[{result.id}\] received",
        "succeeded": rf"[Tt]ask proj\.tasks\.logs\[{result.id}\] succeeded in",
    }
    found = {}
    while len(found) < len(wanted) and time.monotonic() < deadline:
        with open(os.environ["PROJ_LOG"], encoding="utf-8", errors="replace") as file:
            text = file.read()
        found = {name: True for name, pattern in wanted.items() if re.search(pattern, text)}
        time.sleep(0.05)
    return found


def retry():
    subject = f"retry-{uuid.uuid4()}"
    with_exc, without = tasks.gives_up.delay(True), tasks.gives_up.delay(False)
    errors = [result.get(timeout=T, propagate=False) for result in (with_exc, without)]
    auto = tasks.refresh_timeline.delay(subject)
    error = auto.get(timeout=T, propagate=False)
    spared = tasks.not_for_key_errors.delay(f"spared-{subject}")
    spared.get(timeout=T, propagate=False)
    direct = raised(tasks.gives_up, True)
    return {
        "retried": tasks.send_twitter_status.delay("oauth", "tweet", fail_times=2).get(timeout=T),
        "gives up": [type(each).__name__ for each in errors],
        "is": [isinstance(errors[0], KeyError), isinstance(errors[1], MaxRetriesExceededError)],
        "autoretry": [type(error).__name__, [line["retries"] for line in noted(subject)]],
        "dont_autoretry_for": [spared.state, len(noted(f"spared-{subject}"))],
        "called directly": direct,
        "settings": [tasks.refresh_timeline.retry_backoff, tasks.refresh_timeline.max_retries, add.max_retries],
        "class": [issubclass(Retry, Exception), str(Retry("x", None, 3))],
    }


def acknowledgement():
    late, early = tasks.kills_its_process_once.delay(), tasks.kills_its_process.delay()
    lost = early.get(timeout=T, propagate=False)
    return {
        "late and rejected": [late.get(timeout=T), len(noted(late.id))],
        "early": [type(lost).__name__, isinstance(lost, WorkerLostError)],
        "early runs": len(noted(early.id)),
        "attributes": [tasks.kills_its_process_once.acks_late, tasks.kills_its_process.acks_late],
    }


def semipredicates():
    ignored, by_hand = tasks.with_ignore.delay(False), tasks.with_ignore.delay(True)
    rejected, again = tasks.render_scene.delay("too-big"), tasks.render_scene.delay("once")
    value = again.get(timeout=T)
    deadline = time.monotonic() + T
    while by_hand.state != "SUCCESS" and time.monotonic() < deadline:
        time.sleep(0.05)
    return {
        "ignored": ignored.state,
        "by hand": [by_hand.state, by_hand.result],
        "direct": tasks.with_ignore(False),
        "rejected and delivered again": [value, len(noted(again.id))],
        "rejected": type(rejected.get(timeout=T, propagate=False)).__name__,
        "classes": [issubclass(Ignore, Exception), Reject("why", requeue=True).requeue, Reject("why").requeue],
    }
