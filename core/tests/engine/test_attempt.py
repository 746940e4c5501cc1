"""One run of a body: every way it can end is an outcome, and nothing escapes."""

import asyncio
from datetime import UTC, datetime

import pytest

from kernel.engine.attempt import Ports, attempt, attempt_async
from kernel.engine.retry import RetryAsk, schedule_retry
from kernel.errors import Ignore, MaxRetriesExceededError, Reject, Retry, SoftTimeLimitExceeded
from kernel.model.context import Request, current
from kernel.model.options import TaskOptions
from kernel.model.outcome import Failed, Ignored, Rejected, Retried, Succeeded

NOW = 1_700_000_000.0


class PlainTask:
    def __init__(self, body, **options):
        self.name, self.body, self.has_handlers = "proj.task", body, False
        self.task_options = TaskOptions(name=self.name, **options)

    def before_start(self, task_id, args, kwargs):
        self.started = task_id


def drive(awaitable, soft, limiter):
    async def run():
        return await awaitable

    return asyncio.run(run())


async def unlimited(awaitable, seconds):
    return await awaitable


PORTS = Ports(clock=lambda: NOW, uniform=lambda low, high: high, drive=drive, limit=unlimited)


def run(body, request=None, **options):
    task = PlainTask(body, **options)
    return attempt(task, request or Request(id="t1"), None, PORTS)


def test_a_returned_value_is_success_and_the_request_is_current_inside():
    seen = []

    def body(x, y):
        seen.append(current.get().request.id)
        return x + y

    assert run(body, Request(id="t1", args=(2,), kwargs={"y": 3})) == Succeeded(5)
    assert seen == ["t1"]
    assert current.get() is None


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_body_raises_is_a_failure(error):
    def body():
        raise error

    outcome = run(body)
    assert isinstance(outcome, Failed)
    assert outcome.error is error
    assert "in body" in outcome.traceback
    assert "engine/attempt.py" not in outcome.traceback


def test_an_error_in_before_start_fails_the_task():
    task = PlainTask(lambda: 1)
    task.before_start = lambda *args: 1 / 0
    assert isinstance(attempt(task, Request(id="t"), None, PORTS), Failed)


def test_expected_errors_and_time_limits_are_marked():
    def body(error):
        raise error

    assert run(body, Request(id="t", args=(KeyError(1),)), throws=(KeyError,)).expected
    assert not run(body, Request(id="t", args=(KeyError(1),))).expected
    assert run(body, Request(id="t", args=(SoftTimeLimitExceeded(2),))).timed_out


def test_predicates_choose_the_outcome():
    def body(error):
        raise error

    assert run(body, Request(id="t", args=(Ignore(),))) == Ignored()
    assert run(body, Request(id="t", args=(Reject("full", requeue=True),))) == Rejected("full", requeue=True)


def test_a_retry_raised_by_hand_is_scheduled():
    def body():
        raise Retry(when=7)

    outcome = run(body, Request(id="t", args=(), retries=0))
    assert isinstance(outcome, Retried)
    assert outcome.delay_s == 7
    assert outcome.options["retries"] == 1


def test_a_retry_raised_by_hand_may_name_a_point_in_time():
    def body():
        raise Retry(when=datetime.fromtimestamp(NOW + 12, UTC))

    assert run(body).delay_s == 12


def test_retry_without_throw_counts_although_the_body_returned():
    def body():
        request = current.get().request
        request.pending_retry = schedule_retry(TaskOptions("proj.task"), request, RetryAsk(countdown=3), NOW)
        return "looks fine"

    assert isinstance(run(body), Retried)


def test_automatic_retry_covers_the_named_errors_only():
    def body():
        raise OSError("down")

    assert run(body, autoretry_for=(OSError,)).delay_s == 180
    assert isinstance(run(body, autoretry_for=(KeyError,)), Failed)
    assert isinstance(run(body, autoretry_for=(OSError,), dont_autoretry_for=(OSError,)), Failed)


def test_a_used_up_retry_is_the_original_error():
    def body():
        raise OSError("down")

    outcome = run(body, Request(id="t", retries=3), autoretry_for=(OSError,), max_retries=3)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OSError)


def test_a_used_up_retry_without_an_error_says_so():
    def body():
        raise Retry(when=1)

    outcome = run(body, Request(id="t", retries=3), max_retries=3)
    assert isinstance(outcome.error, MaxRetriesExceededError)


def test_async_bodies_run_in_a_process_without_a_loop():
    async def body(x):
        await asyncio.sleep(0)
        return x * 2

    assert run(body, Request(id="t", args=(4,))) == Succeeded(8)


def test_async_bodies_run_on_a_loop():
    async def body(x):
        assert current.get().request.id == "t"
        return x * 2

    async def failing():
        raise ValueError(1)

    good = attempt_async(PlainTask(body), Request(id="t", args=(4,)), PORTS)
    assert asyncio.run(good) == Succeeded(8)
    assert isinstance(asyncio.run(attempt_async(PlainTask(failing), Request(id="t"), PORTS)), Failed)
