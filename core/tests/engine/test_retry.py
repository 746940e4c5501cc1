"""When a task runs again, and what the new message carries (features.md 1.23, wire.md 2.7)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.engine.retry import RetryAsk, automatic_retry, backoff, schedule_retry
from kernel.errors import MaxRetriesExceededError
from kernel.model.context import Request
from kernel.model.options import TaskOptions

NOW = 1_700_000_000.0
TASK = TaskOptions("proj.task")


def test_the_new_call_keeps_what_belongs_to_the_task():
    request = Request(
        id="t1",
        args=(1,),
        kwargs={"a": 2},
        retries=1,
        root_id="root",
        expires="2030-01-01T00:00:00+00:00",
        headers={"mine": 1, "x-death": [], "redelivered": True},
        callbacks=[{"task": "x"}],
        errbacks=[{"task": "y"}],
        chain=[{"task": "z"}],
        group="g",
        group_index=0,
        timelimit=(9, 8),
        delivery_info={"exchange": "", "routing_key": "hipri", "priority": 4},
    )
    retry = schedule_retry(TASK, request, RetryAsk(), NOW)
    assert (retry.call_args, retry.call_kwargs, retry.delay_s) == ((1,), {"a": 2}, 180.0)
    options = retry.call_options
    assert options["retries"] == 2
    assert options["parent_id"] == "t1"
    assert options["root_id"] == "root"
    assert options["queue"] == "hipri"
    assert options["priority"] == 4
    assert options["headers"] == {"mine": 1}
    assert options["link"] == [{"task": "x"}]
    assert options["link_error"] == [{"task": "y"}]
    assert options["chain"] == [{"task": "z"}]
    assert (options["time_limit"], options["soft_time_limit"]) == (9, 8)
    assert options["expires"] == datetime(2030, 1, 1, tzinfo=UTC)
    assert options["group_index"] == 0


def test_the_ordering_group_is_kept():
    request = Request(id="t", delivery_info={"exchange": "", "routing_key": "q", "group": "customer-7"})
    assert schedule_retry(TASK, request, RetryAsk(), NOW).call_options["group"] == "customer-7"
    assert "group" not in schedule_retry(TASK, Request(id="t"), RetryAsk(), NOW).call_options


def test_an_exchange_is_reused_with_its_key():
    request = Request(id="t", delivery_info={"exchange": "news", "routing_key": "a.b"})
    options = schedule_retry(TASK, request, RetryAsk(), NOW).call_options
    assert (options["exchange"], options["routing_key"]) == ("news", "a.b")
    assert "queue" not in options


@pytest.mark.parametrize(
    ("ask", "delay"),
    [
        (RetryAsk(countdown=60), 60),
        (RetryAsk(countdown=0), 0),
        (RetryAsk(countdown=-5), 0),
        (RetryAsk(eta=datetime.fromtimestamp(NOW + 30, UTC)), 30),
        (RetryAsk(eta=datetime.fromtimestamp(NOW + 30, UTC).replace(tzinfo=None)), 30),
        (RetryAsk(eta=datetime.fromtimestamp(NOW - 30, UTC)), 0),
        (RetryAsk(), 180),
    ],
)
def test_delays(ask, delay):
    assert schedule_retry(TASK, Request(id="t"), ask, NOW).delay_s == delay


def test_the_limit_counts_retries_and_none_is_for_ever():
    schedule_retry(TASK, Request(id="t", retries=2), RetryAsk(), NOW)
    with pytest.raises(MaxRetriesExceededError):
        schedule_retry(TASK, Request(id="t", retries=3), RetryAsk(), NOW)
    with pytest.raises(OSError, match="cause"):
        schedule_retry(TASK, Request(id="t", retries=3), RetryAsk(exc=OSError("cause")), NOW)
    schedule_retry(TaskOptions("t", max_retries=None), Request(id="t", retries=10**6), RetryAsk(), NOW)
    schedule_retry(TASK, Request(id="t", retries=4), RetryAsk(max_retries=5), NOW)


def test_other_arguments_and_options_win():
    retry = schedule_retry(TASK, Request(id="t", args=(1,)), RetryAsk((2,), {"b": 3}, options={"queue": "q"}), NOW)
    assert (retry.call_args, retry.call_kwargs, retry.call_options["queue"]) == ((2,), {"b": 3}, "q")


@given(retries=st.integers(0, 10_000), factor=st.floats(0.1, 100), cap=st.floats(1, 10_000))
def test_backoff_doubles_up_to_its_cap(retries, factor, cap):
    task = TaskOptions("t", retry_backoff=factor, retry_backoff_max=cap, retry_jitter=False)
    delay = backoff(task, retries, lambda low, high: 1 / 0)
    assert delay == min(factor * 2 ** min(retries, 64), cap)
    jittered = TaskOptions("t", retry_backoff=factor, retry_backoff_max=cap)
    assert backoff(jittered, retries, lambda low, high: (low, high)) == (0.0, delay)


def test_retry_kwargs_are_used_and_backoff_wins_over_their_countdown():
    task = TaskOptions("t", autoretry_for=(OSError,), retry_kwargs={"max_retries": 5, "countdown": 9, "queue": "slow"})
    retry = automatic_retry(task, Request(id="t", retries=4), OSError(), NOW, max)
    assert retry.delay_s == 9
    assert retry.call_options["queue"] == "slow"
    with pytest.raises(OSError):
        automatic_retry(task, Request(id="t", retries=5), OSError(), NOW, max)
    growing = TaskOptions("t", autoretry_for=(OSError,), retry_backoff=2, retry_jitter=False, max_retries=9)
    assert automatic_retry(growing, Request(id="t", retries=3), OSError(), NOW, max).delay_s == 16
