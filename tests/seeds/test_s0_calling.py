"""S0, a page on calling tasks (in Chinese). Which block is which test:

=====================================================  =====================================================
S0, heading 调用 (calling), in order                    test
=====================================================  =====================================================
``add.delay(2, 2)``                                    test_delay_is_a_short_apply_async
``add.apply_async((2, 2))``                            test_delay_is_a_short_apply_async
``apply_async((2, 2), queue='lopri', countdown=10)``   test_lopri_with_a_countdown, test_a_countdown_is_a_least
``add(2, 2)``                                          test_a_plain_call_sends_nothing
``res.get(timeout=1)`` of a success                    test_a_result_and_its_id
``res.id``                                             test_a_result_and_its_id
``add.delay(2)``, ``res.get(timeout=1)``               test_a_missing_argument_is_noticed_by_the_caller,
                                                       test_a_missing_argument_noticed_by_the_worker
``res.get(propagate=False)``                           test_a_missing_argument_noticed_by_the_worker
``res.failed()``, ``res.successful()``                 test_a_missing_argument_noticed_by_the_worker
``res.state``                                          test_a_missing_argument_noticed_by_the_worker
PENDING -> STARTED -> SUCCESS                          test_the_states_of_a_success
``app.AsyncResult('this-id-does-not-exist').state``    test_an_unknown_id_is_pending
PENDING -> STARTED -> RETRY -> ... -> SUCCESS          test_the_states_of_two_retries
=====================================================  =====================================================

Wrong there: "at the earliest 10 seconds" is *not before* 10 seconds (features.md 1.1); without results configured,
reading one raises NotImplementedError (1.3): test_without_a_result_store.
"""

import time
from uuid import UUID

import pytest

from kernel import Kernel


@pytest.fixture
def add(app):
    @app.task
    def add(x, y):
        return x + y

    return add


def test_delay_is_a_short_apply_async(app, add, worker):
    with worker(app):
        assert add.delay(2, 2).get(timeout=20) == 4
        assert add.apply_async((2, 2)).get(timeout=20) == 4


def test_lopri_with_a_countdown(app, add, worker):
    late = add.apply_async((2, 2), queue="lopri", countdown=10)
    with worker(app, queues=["lopri"]):
        assert add.apply_async((3, 3), queue="lopri").get(timeout=20) == 6
        assert late.state == "PENDING"


def test_a_task_waits_in_its_queue_for_a_worker_of_it(app, add, worker):
    result = add.apply_async((2, 2), queue="lopri")
    with worker(app):
        assert add.delay(1, 1).get(timeout=20) == 2
        assert result.state == "PENDING"
    with worker(app, queues=["lopri"]):
        assert result.get(timeout=20) == 4


def test_a_countdown_is_a_least(app, add, worker):
    with worker(app, queues=["lopri"]):
        sent = time.monotonic()
        assert add.apply_async((2, 2), queue="lopri", countdown=1).get(timeout=20) == 4
        assert time.monotonic() - sent >= 1


def test_a_plain_call_sends_nothing(app, add, worker, queues):
    assert add(2, 2) == 4
    with worker(app):
        assert add.delay(1, 1).get(timeout=20) == 2
    assert queues(app).depth("kernel") == 0


def test_a_result_and_its_id(app, add, worker):
    with worker(app):
        res = add.delay(2, 2)
        assert res.get(timeout=20) == 4
    assert str(UUID(res.id)) == res.id


def test_a_missing_argument_is_noticed_by_the_caller(app, add):
    with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument: 'y'"):
        add.delay(2)


def test_a_missing_argument_noticed_by_the_worker(app, worker):
    @app.task(typing=False)
    def add(x, y):
        return x + y

    with worker(app):
        res = add.delay(2)
        with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument: 'y'"):
            res.get(timeout=20)
    error = res.get(propagate=False)
    assert isinstance(error, TypeError)
    assert "missing 1 required positional argument: 'y'" in str(error)
    assert res.failed() is True
    assert res.successful() is False
    assert res.state == "FAILURE"


def states_of(result):
    seen = []
    result.get(timeout=30, on_message=lambda body: seen.append(body["status"]), propagate=False)
    return seen


@pytest.mark.parametrize("by_setting", [True, False])
def test_the_states_of_a_success(make_app, worker, by_setting):
    app = make_app(task_track_started=by_setting)

    @app.task(**({} if by_setting else {"track_started": True}))
    def add(x, y):
        time.sleep(0.2)
        return x + y

    res = add.delay(2, 2)
    assert res.state == "PENDING"
    with worker(app):
        assert states_of(res) == ["STARTED", "SUCCESS"]


def test_an_unknown_id_is_pending(app):
    res = app.AsyncResult("this-id-does-not-exist")
    assert res.state == "PENDING"


def test_the_states_of_two_retries(app, worker):
    @app.task(bind=True, track_started=True)
    def flaky(self):
        time.sleep(0.2)
        if self.request.retries < 2:
            raise self.retry(countdown=0.2)
        return self.request.retries

    res = flaky.delay()
    assert res.state == "PENDING"
    with worker(app):
        assert states_of(res) == ["STARTED", "RETRY", "STARTED", "RETRY", "STARTED", "SUCCESS"]
    assert res.get() == 2


def test_without_a_result_store():
    app = Kernel("proj", broker="memory://s0-without-results")
    with pytest.raises(NotImplementedError), app:
        app.AsyncResult("some-id").state  # noqa: B018 - reading it is the point
