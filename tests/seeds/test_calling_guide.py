"""The calling guide, in S1 ("Calling tasks"), S3 (Chinese, newest) and S4 (English, oldest). Which block is which test:

==============================================  =========  ====================================================
heading                                         documents  test
==============================================  =========  ====================================================
Basics: quick cheat sheet                       S3, S4     test_the_cheat_sheet
Example: delay and apply_async                  S3, S4     test_two_spellings_of_a_call
``task.s(...).apply_async()``                   S3, S4     test_a_signature_is_called_like_a_task
Linking: ``link=add.s(16)``                     S1,S3,S4   test_a_callback
Linking: error_handler of three arguments       S1, S3     test_an_errback_that_is_called
Linking: error_handler of an id                 S4         test_an_errback_that_is_a_task
Linking: both as lists                          S1,S3,S4   test_lists_of_callbacks_and_errbacks
On message, both blocks and their output        S1,S3,S4   test_on_message
On message: ``hello.apply_async()``             S4         test_hello_needs_its_arguments
ETA and Countdown: ``countdown=3``              S1,S3,S4   test_a_countdown_of_three_seconds
ETA and Countdown: ``eta=tomorrow``             S1,S3,S4   test_an_eta, test_an_eta_without_a_zone
Expiration, both                                S1,S3,S4   test_expiry, test_an_expired_task_is_revoked
Message Sending Retry: ``retry=False``          S1,S3,S4   test_no_retry
Retry Policy: retry_errors                      S3         test_retry_errors
Retry Policy: the default                       S1,S3,S4   test_the_policy_of_publishing
Connection Error Handling, both                 S1,S3,S4   test_a_broker_that_is_not_there
Serializers: ``serializer='json'``              S3, S4     test_a_serializer, test_the_order_of_serializers
Serializers: accept_content                     S3         test_only_what_is_accepted_is_sent_or_read
Compression: ``compression='zlib'``             S3, S4     test_a_compression, test_the_order_of_compressions
Connections: a publisher by hand                S1,S3,S4   test_a_publisher_by_hand
Connections: better as a group                  S1,S3,S4   test_a_group_instead
Routing options: ``queue='priority.high'``      S3, S4     test_priority_high
Routing options: ``-Q celery,priority.high``    S3, S4     test_a_worker_of_two_queues
Results options: ignore_result                  S3         test_ignore_result
Results options: result_extended                S3         test_result_extended
Advanced Options: exchange, routing_key, ...    S3, S4     test_exchange_and_routing_key, test_priority
``send_task()``                                 S3         test_send_task
==============================================  =========  ====================================================

Wrong there (features.md 1.31): the countdown example's result is 4, not 20 (S1, S4); the longest pause of the publish
policy is 1 second, not 0.2, 0.6 seconds in all; ``add.apply_async(queue='priority.high')`` lacks the arguments of add;
S4's publisher loops over undefined numbers.
"""

import logging
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest

from kernel import Kernel, group
from kernel.exceptions import ContentDisallowed, OperationalError, TaskRevokedError, TimeoutError
from kernel.result import AsyncResult, allow_join_result
from kernel.utils.log import get_logger


@pytest.fixture
def add(app):
    @app.task
    def add(x, y):
        return x + y

    return add


def test_the_cheat_sheet(app, worker):
    @app.task
    def T(arg=None, kwarg=None):
        return [arg, kwarg]

    arg, value, now = 1, 2, datetime.now(UTC)
    with worker(app):
        assert T.delay(arg, kwarg=value).get(timeout=20) == [1, 2]
        assert T.apply_async((arg,), {"kwarg": value}).get(timeout=20) == [1, 2]
        T.apply_async(countdown=10)
        T.apply_async(eta=now + timedelta(seconds=10))
        T.apply_async(countdown=60, expires=120)
        assert T.apply_async(expires=now + timedelta(days=2)).get(timeout=20) == [None, None]
        mine = T.apply_async(task_id="my_own_task_id")
        assert mine.get(timeout=20) == [None, None]
        assert mine.id == "my_own_task_id"


def test_two_spellings_of_a_call(app, worker):
    @app.task
    def task(arg1, arg2, kwarg1=None, kwarg2=None):
        return [arg1, arg2, kwarg1, kwarg2]

    arg1, arg2 = 1, 2
    with worker(app):
        short = task.delay(arg1, arg2, kwarg1="x", kwarg2="y")
        long = task.apply_async(args=[arg1, arg2], kwargs={"kwarg1": "x", "kwarg2": "y"})
        assert short.get(timeout=20) == long.get(timeout=20) == [1, 2, "x", "y"]


def test_a_signature_is_called_like_a_task(app, worker):
    @app.task
    def task(arg1, arg2, kwarg1=None, kwargs2=None):
        return [arg1, arg2, kwarg1, kwargs2]

    with worker(app):
        assert task.s(1, 2, kwarg1="x", kwargs2="y").apply_async().get(timeout=20) == [1, 2, "x", "y"]


def test_send_task(app, add, worker):
    with worker(app):
        assert app.send_task(add.name, (2, 2)).get(timeout=20) == 4
        assert app.send_task(add.name, kwargs={"x": 1, "y": 2}, countdown=0).get(timeout=20) == 3


def test_a_callback(app, add, worker, until):
    with worker(app):
        result = add.apply_async((2, 2), link=add.s(16))
        assert result.get(timeout=20) == 4
        (child,) = until(lambda: result.children)
        assert child.get(timeout=20) == 20


def test_an_errback_that_is_called(app, worker, until):
    printed = []

    @app.task
    def error_handler(request, exc, traceback):
        printed.append("Task {0} raised exception: {1!r}\n{2!r}".format(request.id, exc, traceback))

    @app.task
    def divide(x, y):
        return x / y

    with worker(app):
        result = divide.apply_async((2, 0), link_error=error_handler.s())
        with pytest.raises(ZeroDivisionError):
            result.get(timeout=20)
        until(lambda: printed)
    (line,) = printed
    assert line.startswith(f"Task {result.id} raised exception: ZeroDivisionError('division by zero')\n'Traceback")


def test_an_errback_that_is_a_task(app, worker, until):
    printed = []

    @app.task
    def error_handler(uuid):
        result = AsyncResult(uuid)
        with allow_join_result():
            exc = result.get(propagate=False)
        printed.append("Task {0} raised exception: {1!r}\n{2!r}".format(uuid, exc, result.traceback))

    @app.task
    def divide(x, y):
        return x / y

    with worker(app):
        result = divide.apply_async((2, 0), link_error=error_handler.s())
        until(lambda: printed)
    (line,) = printed
    assert line.startswith(f"Task {result.id} raised exception: ZeroDivisionError('division by zero')\n'Traceback")


def test_lists_of_callbacks_and_errbacks(app, add, worker, until):
    seen = []

    @app.task
    def other_task(value):
        seen.append(value)

    @app.task
    def fail(x, y):
        raise ValueError(x, y)

    @app.task
    def first(request, exc, traceback):
        seen.append(("first", exc.args))

    @app.task
    def second(request, exc, traceback):
        seen.append(("second", exc.args))

    with worker(app, concurrency=1):
        result = add.apply_async((2, 2), link=[add.s(16), other_task.s()])
        assert result.get(timeout=20) == 4
        until(lambda: seen)
        assert seen == [4]
        children = until(lambda: result.children)
        assert 20 in [child.get(timeout=20) for child in children]
        fail.apply_async((1, 2), link_error=[first.s(), second.s()])
        until(lambda: len(seen) == 3)
        assert seen[1:] == [("first", (1, 2)), ("second", (1, 2))]


@pytest.fixture
def hello(app):
    @app.task(bind=True)
    def hello(self, a, b):
        time.sleep(0.3)
        self.update_state(state="PROGRESS", meta={"progress": 50})
        time.sleep(0.3)
        self.update_state(state="PROGRESS", meta={"progress": 90})
        time.sleep(0.3)
        return "hello world: %i" % (a + b)

    return hello


def test_on_message(app, hello, worker):
    printed = []

    def on_raw_message(body):
        printed.append(body)

    a, b = 1, 1
    with worker(app):
        r = hello.apply_async(args=(a, b))
        assert r.get(on_message=on_raw_message, propagate=False, timeout=30) == "hello world: 2"
    assert [(body["status"], body["result"]) for body in printed] == [
        ("PROGRESS", {"progress": 50}),
        ("PROGRESS", {"progress": 90}),
        ("SUCCESS", "hello world: 2"),
    ]
    for body in printed:
        assert body["task_id"] == r.id
        assert body["traceback"] is None
        assert body["children"] == []


def test_hello_needs_its_arguments(hello):
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        hello.apply_async()


def test_a_countdown_of_three_seconds(app, add, worker):
    with worker(app):
        sent = time.monotonic()
        result = add.apply_async((2, 2), countdown=3)
        assert result.get(timeout=30) == 4  # this takes at least 3 seconds to return
        assert time.monotonic() - sent >= 3


def test_an_eta(app, add, worker):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with worker(app):
        late = add.apply_async((2, 2), eta=tomorrow)
        soon = add.apply_async((2, 2), eta=datetime.now(UTC) + timedelta(seconds=0.5))
        assert soon.get(timeout=20) == 4
        assert late.state == "PENDING"


def test_an_eta_without_a_zone(make_app, worker):
    app = make_app(timezone="Europe/London")

    @app.task
    def now():
        return time.time()

    with worker(app):
        local = datetime.now(UTC) + timedelta(seconds=1)
        zone = __import__("zoneinfo").ZoneInfo("Europe/London")
        result = now.apply_async(eta=local.astimezone(zone).replace(tzinfo=None))
        assert result.get(timeout=20) >= local.timestamp()


def test_expiry(app, add, worker):
    kwargs = {}
    with worker(app):
        # Task expires after one minute from now.
        assert add.apply_async((10, 10), expires=60).get(timeout=20) == 20
        # Also supports datetime
        result = add.apply_async((10, 10), kwargs, expires=datetime.now(UTC) + timedelta(days=1))
        assert result.get(timeout=20) == 20


def test_an_expired_task_is_revoked(app, add, worker):
    by_seconds = add.apply_async((10, 10), expires=0.05)
    by_time = add.apply_async((10, 10), expires=datetime.now(UTC) + timedelta(seconds=0.05))
    time.sleep(0.2)
    with worker(app):
        for result in (by_seconds, by_time):
            with pytest.raises(TaskRevokedError):
                result.get(timeout=20)
            assert result.state == "REVOKED"


@pytest.fixture
def lost(tmp_path):
    """A task of an app whose broker takes nothing: somebody holds its file locked."""
    app = Kernel("proj", broker="sqlite:///lost.sqlite3", broker_connection_timeout=0.1)

    @app.task
    def add(x, y):
        return x + y

    add.delay(1, 1)
    holder = sqlite3.connect(tmp_path / "lost.sqlite3", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    yield add
    holder.execute("ROLLBACK")
    holder.close()
    add.delay(1, 1)
    app.close()


def test_no_retry(app, add, lost, worker):
    with worker(app):
        assert add.apply_async((2, 2), retry=False).get(timeout=20) == 4
    lost.app.conf.task_publish_retry_policy = {"max_retries": 3, "interval_start": 20}
    began = time.monotonic()
    with pytest.raises(OperationalError):
        lost.apply_async((2, 2), retry=False)
    assert time.monotonic() - began < 15


def test_retry_errors(app, add, worker):
    with worker(app):
        result = add.apply_async(
            (2, 2),
            retry=True,
            retry_policy={
                "max_retries": 3,
                "retry_errors": (TimeoutError,),
            },
        )
        assert result.get(timeout=20) == 4


def test_the_policy_of_publishing(app, add, lost, worker):
    assert app.conf.task_publish_retry is True
    assert app.conf.task_publish_retry_policy == {
        "max_retries": 3,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 1,
    }
    policy = {
        "max_retries": 3,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.2,
        "retry_errors": None,
    }
    with worker(app):
        assert add.apply_async((2, 2), retry=True, retry_policy=policy).get(timeout=20) == 4
    began = time.monotonic()
    with pytest.raises(OperationalError):
        lost.apply_async((2, 2), retry=True, retry_policy=policy)
    assert time.monotonic() - began >= 0.4


def test_a_broker_that_is_not_there(lost, caplog):
    add = lost
    logger = get_logger(__name__)
    with pytest.raises(OperationalError):
        add.delay(2, 2)

    try:
        add.delay(2, 2)
    except add.OperationalError as exc:
        logger.exception("Sending task raised: %r", exc)
    (record,) = [record for record in caplog.records if record.name == __name__]
    assert record.getMessage().startswith("Sending task raised: OperationalError(")
    assert record.levelno == logging.ERROR


def test_a_serializer(app, add, worker):
    with worker(app):
        assert add.apply_async((10, 10), serializer="json").get(timeout=20) == 20


def test_the_order_of_serializers(make_app, queues):
    app = make_app(task_serializer="pickle", accept_content=["json", "pickle"])

    @app.task
    def plain():
        pass

    @app.task(serializer="json")
    def chosen():
        pass

    plain.delay()
    chosen.delay()
    chosen.apply_async(serializer="pickle")
    types = [message.content_type for message in queues(app).peek("kernel")]
    assert types == ["application/x-python-serialize", "application/json", "application/x-python-serialize"]


def test_only_what_is_accepted_is_sent_or_read(make_app, app, worker, until, queues):
    sender = make_app(task_serializer="pickle", accept_content=["json", "pickle"])
    sender.conf.broker_url = app.conf.broker_url

    @app.task(name="add")
    def add(x, y):
        return x + y

    with worker(app):
        sender.send_task("add", (2, 2))
        assert add.delay(2, 2).get(timeout=20) == 4
        until(lambda: queues(app).depth("kernel.quarantine") == 1)
    assert ContentDisallowed.__name__ in str(queues(app).peek("kernel.quarantine"))


def test_a_compression(app, add, worker):
    with worker(app):
        for name in ("zlib", "gzip", "bzip2", "lzma"):
            assert add.apply_async((2, 2), compression=name).get(timeout=20) == 4


def test_the_order_of_compressions(make_app, queues):
    app = make_app(task_compression="gzip")
    long = "x" * 1000

    @app.task
    def plain(text):
        pass

    @app.task(compression="bzip2")
    def chosen(text):
        pass

    plain.delay(long)
    chosen.delay(long)
    chosen.apply_async((long,), compression="zlib")
    headers = [message.headers.get("compression") for message in queues(app).peek("kernel")]
    assert headers == ["application/x-gzip", "application/x-bz2", "application/x-gzip"]


def test_a_publisher_by_hand(app, add, worker):
    numbers = [(2, 2), (4, 4), (8, 8), (16, 16)]
    results = []
    with worker(app):
        with add.app.pool.acquire(block=True) as connection:
            with add.get_publisher(connection) as publisher:
                for i, j in numbers:
                    res = add.apply_async((i, j), publisher=publisher)
                    results.append(res)
        assert [res.get(timeout=20) for res in results] == [4, 8, 16, 32]


def test_a_group_instead(app, add, worker):
    numbers = [(2, 2), (4, 4), (8, 8), (16, 16)]
    with worker(app):
        res = group(add.s(i, j) for i, j in numbers).apply_async()
        assert res.get(timeout=20) == [4, 8, 16, 32]


def test_priority_high(app, add, worker):
    with worker(app, queues=["priority.high"]):
        with pytest.raises(TypeError):
            add.apply_async(queue="priority.high")
        assert add.apply_async((2, 2), queue="priority.high").get(timeout=20) == 4


def test_a_worker_of_two_queues(module, run_worker):
    module(
        "proj.py",
        """
        from kernel import Kernel

        app = Kernel('proj', broker='sqlite:///kernel.sqlite3', backend='sqlite:///kernel.sqlite3')


        @app.task
        def add(x, y):
            return x + y
        """,
    )
    import proj

    with proj.app, run_worker("-A", "proj", "worker", "-l", "INFO", "-Q", "kernel,priority.high", "-c", "1"):
        assert proj.add.delay(1, 1).get(timeout=30) == 2
        assert proj.add.apply_async((2, 2), queue="priority.high").get(timeout=30) == 4


def test_ignore_result(app, add, worker):
    with worker(app):
        result = add.apply_async((1, 2), ignore_result=True)
        assert result.get(timeout=20) is None
        result = add.apply_async((1, 2), ignore_result=False)
        assert result.get(timeout=20) == 3


def test_result_extended(make_app, worker):
    app = make_app(result_extended=True)

    @app.task
    def add(x, y):
        return x + y

    with worker(app):
        result = add.delay(1, y=2)
        assert result.get(timeout=20) == 3
    assert (result.name, list(result.args), result.kwargs) == (add.name, [1], {"y": 2})
    assert (result.retries, result.queue) == (0, "kernel")
    assert result.worker


def test_exchange_and_routing_key(make_app, worker):
    from kernel import Exchange, Queue

    app = make_app(task_queues=[Queue("feeds", Exchange("tasks", "topic"), routing_key="feed.#"), Queue("kernel")])

    @app.task
    def add(x, y):
        return x + y

    with worker(app, queues=["feeds"]):
        sent = add.apply_async((2, 2), exchange="tasks", routing_key="feed.tasks.now")
        assert sent.get(timeout=20) == 4
        sent = add.apply_async((2, 2), exchange=Exchange("tasks", "topic"), routing_key="feed.tasks.now")
        assert sent.get(timeout=20) == 4


def test_priority(make_app, worker):
    app = make_app(task_queue_max_priority=9)
    order = []

    @app.task
    def note(name):
        order.append(name)

    for name, priority in (("low", 1), ("high", 9), ("middle", 5)):
        last = note.apply_async((name,), priority=priority)
    results = [last]
    with worker(app, concurrency=1):
        for result in results:
            result.get(timeout=20)
        note.apply_async(("end",), priority=0).get(timeout=20)
    assert order == ["high", "middle", "low", "end"]
