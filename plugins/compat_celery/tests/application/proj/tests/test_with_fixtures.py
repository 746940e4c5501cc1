import pytest
from celery import chain, group
from celery.contrib.abortable import AbortableTask
from celery.contrib.testing.manager import Manager
from celery.contrib.testing.mocks import TaskMessage, task_message_from_sig
from celery.exceptions import TimeoutError
from proj.library import power


def test_settings_and_parameters_reach_the_app(celery_app):
    assert celery_app.conf.task_track_started is True
    assert celery_app.conf.timezone == "UTC"
    assert celery_app.main == "celery.tests"


@pytest.mark.celery(result_backend="cache+memory://", task_serializer="pickle", accept_content=["pickle", "json"])
def test_a_mark_changes_settings(celery_app):
    assert celery_app.conf.task_serializer == "pickle"


@pytest.mark.celery(task_always_eager=True)
def test_eager(celery_app):
    @celery_app.task
    def add(x, y):
        return x + y

    assert add.delay(2, 2).get() == 4


def test_tasks_run_in_the_worker(celery_app, celery_worker):
    assert power.delay(2, 5).get(timeout=60) == 32
    assert chain(power.s(2, 2), power.s(3))().get(timeout=60) == 64
    assert power.apply_async((2, 3), queue="more").get(timeout=60) == 8
    with pytest.raises(TypeError):
        power.delay("a", "b").get(timeout=60)
    result = power.delay(3, 2)
    Manager(celery_app).join(result, timeout=60)
    assert result.state == "SUCCESS"


def test_a_worker_learns_tasks_by_reload(celery_app, celery_worker):
    @celery_app.task
    def mul(x, y):
        return x * y

    @celery_app.task(bind=True, base=AbortableTask, name="aborts")
    def aborts(self):
        return self.is_aborted()

    celery_worker.reload()
    assert aborts.delay().get(timeout=60) is False
    assert mul.delay(4, 4).get(timeout=60) == 16
    assert group(mul.s(i, i) for i in range(3))().get(timeout=60) == [0, 1, 4]


def test_the_app_may_be_the_current_one(celery_app, depends_on_current_app):
    from celery import current_app

    assert current_app.main == "celery.tests"


def test_without_a_worker_nothing_comes(celery_app, depends_on_current_app):
    result = power.apply_async((2, 2), queue="nobody-listens")
    with pytest.raises(TimeoutError):
        result.get(timeout=0.2)


def test_messages(celery_app, depends_on_current_app):
    message = TaskMessage("proj.library.power", args=(1, 2), eta="x")
    assert message.headers["task"] == "proj.library.power"
    assert message.headers["eta"] == "x"
    sent = task_message_from_sig(celery_app, power.s(2, 2))
    assert sent.headers["id"]
