"""S2, a page on creating and calling tasks (in Chinese). Which block is which test:

=====================================================  ====================================================
S2, heading                                            test
=====================================================  ====================================================
创建任务 (creating) 1: default arguments               test_a_task_with_defaults
创建任务 2: ``bind=True, name='name'``                 test_a_bound_and_named_task
创建任务 2: the list of arguments                      test_the_arguments_of_the_decorator
创建任务 2: add with ``self.retry()``                  test_a_retry_without_an_exception
创建任务 3: MyTask                                     test_my_task
异步调用 (calling) 1: apply_async                      test_apply_async
异步调用 2: delay and its equivalent                   test_delay_and_its_equivalent
On Message, both blocks                                test_on_message, test_arguments_are_a_tuple
ETA 和 Countdown, both                                 test_calling_guide.py
Expiration                                             test_calling_guide.py, and test_a_naive_expiry
=====================================================  ====================================================

Wrong there (features.md 1.31): ``autoretry_for`` is ``()`` by default; ``retry_backoff_max`` caps the delay and ends
nothing; a failed task is retried only when it asks for it; ``hello.apply_async(4, 6)`` is a TypeError.
"""

import time
from datetime import datetime, timedelta

import pytest

import kernel
from kernel.exceptions import MaxRetriesExceededError
from kernel.utils.log import get_task_logger

logger = get_task_logger(__name__)


def test_a_task_with_defaults(app, worker):
    celery = app

    @celery.task
    def function_name():
        pass

    assert function_name.name == f"{__name__}.function_name"
    with worker(app):
        assert function_name.delay().get(timeout=20) is None


def test_a_bound_and_named_task(app, worker):
    celery = app

    @celery.task(bind=True, name="name")
    def function_name(self):
        return self.name

    assert function_name.name == "name"
    with worker(app):
        assert function_name.delay().get(timeout=20) == "name"


def test_the_arguments_of_the_decorator(app):
    class Base(kernel.Task):
        pass

    @app.task(
        name="all",
        serializer="json",
        bind=True,
        base=Base,
        default_retry_delay=3 * 60,
        autoretry_for=(),
        retry_backoff=False,
        retry_backoff_max=600,
        retry_jitter=True,
    )
    def everything(self):
        pass

    @app.task
    def nothing():
        pass

    assert isinstance(everything, Base)
    for name in ("default_retry_delay", "autoretry_for", "retry_backoff", "retry_backoff_max", "retry_jitter"):
        assert getattr(everything, name) == getattr(nothing, name)


def test_the_cap_of_the_backoff_ends_nothing(app, worker):
    runs = []

    @app.task(
        bind=True,
        autoretry_for=(OSError,),
        retry_backoff=100,
        retry_backoff_max=0.05,
        retry_jitter=False,
        max_retries=4,
    )
    def flaky(self):
        runs.append(self.request.retries)
        raise OSError("again")

    with worker(app), pytest.raises(OSError, match="again"):
        flaky.delay().get(timeout=30)
    assert runs == [0, 1, 2, 3, 4]


def test_a_retry_without_an_exception(app, worker):
    @app.task(bind=True, default_retry_delay=0, max_retries=1)
    def add(self, x, y):
        try:
            logger.info(self.request.id)
            raise ValueError
        except Exception:
            self.retry()

    with worker(app), pytest.raises((ValueError, MaxRetriesExceededError)):
        add.delay(1, 2).get(timeout=20)


def test_a_failed_task_is_not_retried_by_itself(app, worker):
    runs = []

    @app.task
    def fail():
        runs.append(1)
        raise KeyError("x")

    with worker(app):
        with pytest.raises(KeyError):
            fail.delay().get(timeout=20)
    assert runs == [1]


def test_my_task(app, worker):
    printed = []

    class MyTask(kernel.Task):
        def on_failure(self, exc, task_id, args, kwargs, einfo):
            printed.append("{0!r} failed: {1!r}".format(task_id, exc))

        def on_success(self, retval, task_id, args, kwargs):
            printed.append(("success", retval, task_id, list(args), dict(kwargs)))

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            printed.append(("retry", repr(exc), task_id, list(args), dict(kwargs)))

    @app.task(base=MyTask)
    def add(x, y):
        raise KeyError()

    @app.task(base=MyTask, bind=True, name="twice")
    def twice(self, x, y=0):
        if not self.request.retries:
            raise self.retry(exc=OSError("once"), countdown=0)
        return x + y

    with worker(app, concurrency=1):
        failed = add.delay(1, 2)
        with pytest.raises(KeyError):
            failed.get(timeout=20)
        done = twice.delay(1, y=2)
        assert done.get(timeout=20) == 3
    assert printed == [
        f"{failed.id!r} failed: KeyError()",
        ("retry", "OSError('once')", done.id, [1], {"y": 2}),
        ("success", 3, done.id, [1], {"y": 2}),
    ]


def test_apply_async(app, worker):
    @app.task
    def T(arg=None, kwarg=None):
        return [arg, kwarg]

    arg, value, now = 1, 2, datetime.now()
    with worker(app):
        assert T.apply_async((arg,), {"kwarg": value}).get(timeout=20) == [1, 2]
        late = T.apply_async(countdown=10)
        T.apply_async(countdown=60, expires=120)
        assert T.apply_async(expires=now + timedelta(days=2)).get(timeout=20) == [None, None]
        assert late.state == "PENDING"


def test_delay_and_its_equivalent(app, worker):
    @app.task
    def task(arg1, arg2, kwarg1=None, kwarg2=None):
        return [arg1, arg2, kwarg1, kwarg2]

    arg1, arg2 = 1, 2
    with worker(app):
        assert task.delay(arg1, arg2, kwarg1="x", kwarg2="y").get(timeout=20) == [1, 2, "x", "y"]
        again = task.apply_async(args=[arg1, arg2], kwargs={"kwarg1": "x", "kwarg2": "y"})
        assert again.get(timeout=20) == [1, 2, "x", "y"]
    with pytest.raises(TypeError):
        task.delay(arg1, arg2, countdown=10)


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
    bodies = []

    def on_raw_message(body):
        bodies.append(body)

    with worker(app):
        r = hello.apply_async((4, 6))
        assert r.get(on_message=on_raw_message, propagate=False, timeout=30) == "hello world: 10"
    assert [body["status"] for body in bodies] == ["PROGRESS", "PROGRESS", "SUCCESS"]


def test_arguments_are_a_tuple(hello):
    with pytest.raises(TypeError):
        hello.apply_async(4, 6)


def test_a_naive_expiry(app, worker):
    @app.task
    def add(x, y):
        return x + y

    kwargs = {}
    with worker(app):
        result = add.apply_async((10, 10), kwargs, expires=datetime.now() + timedelta(days=1))
        assert result.get(timeout=20) == 20
