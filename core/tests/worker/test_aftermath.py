"""Errbacks of tasks that no executor lived to fail."""

import json
import threading

import pytest
from worker_fakes import until
from worker_pool_fake import PuppetPool

from kernel.contracts.pool import LossCause, PoolOptions
from kernel.errors import WorkerLostError
from kernel.model.config import Config

ERRBACK = {"task": "told", "args": [], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}


@pytest.fixture
def stage(site):
    site.pool = PuppetPool
    site.pool_options = PoolOptions(size=4)
    site.configure(task_default_queue="work")
    site.task("early", None)
    return site


def send(stage, task="early", errbacks=(ERRBACK,)):
    return stage.send(task, body=json.dumps([[1], {}, {"errbacks": list(errbacks)}]).encode())


def lose(stage, task_id, cause=LossCause.EXITED):
    until(lambda: PuppetPool.made.job(task_id), what="the job")
    PuppetPool.made.lose(task_id, cause)


def errback_job():
    return next((job for job in PuppetPool.made.jobs.copy().values() if job.task == "told"), None)


@pytest.mark.parametrize("cause", [LossCause.EXITED, LossCause.HARD_LIMIT])
def test_an_errback_that_is_a_task_is_sent_the_id(stage, cause):
    stage.task("told", lambda failed_id: None)
    stage.start()
    task_id = send(stage)
    lose(stage, task_id, cause)
    job = until(errback_job, what="the errback")
    assert json.loads(job.payload.body)[0] == [task_id]
    assert stage.record(task_id).status == "FAILURE"


def test_an_errback_that_takes_the_failure_is_called(stage):
    called = threading.Event()
    got = []

    def told(request, error, traceback):
        got.extend([request.id, error, traceback])
        called.set()

    stage.task("told", told)
    stage.start()
    task_id = send(stage)
    lose(stage, task_id)
    assert called.wait(30)
    assert got[0] == task_id
    assert isinstance(got[1], WorkerLostError)
    assert got[2] is None


def test_an_unknown_task_has_its_errbacks_sent_too(stage):
    stage.task("told", lambda failed_id: None)
    stage.start()
    task_id = send(stage, "nobody")
    job = until(errback_job, what="the errback")
    assert json.loads(job.payload.body)[0] == [task_id]


def test_a_revoked_task_has_none(stage):
    stage.task("told", lambda failed_id: None)
    stage.start()
    task_id = send(stage)
    lose(stage, task_id, LossCause.TERMINATED)
    assert stage.result(task_id).status == "REVOKED"
    stage.stop()
    assert stage.depth().ready == 0


@pytest.mark.parametrize("errbacks", [[7], [{"args": []}], ["x"]])
def test_errbacks_nobody_can_read_are_told_and_settled(stage, errbacks):
    stage.start()
    task_id = send(stage, errbacks=errbacks)
    lose(stage, task_id)
    assert stage.result(task_id).status == "FAILURE"
    until(stage.settled)
    assert stage.thread.is_alive()


def test_an_errback_that_cannot_be_sent_is_sent_later(stage):
    weather = stage.storm()
    stage.configure(task_publish_retry=False)
    stage.task("told", lambda failed_id: None)
    stage.task("strict", None, acks_late=True, reject_on_worker_lost=False)
    stage.start()
    task_id = send(stage, "strict")
    until(lambda: PuppetPool.made.job(task_id), what="the job")
    weather.failing = {"publish"}
    PuppetPool.made.lose(task_id)
    until(lambda: weather.calls.count("publish") >= 1, what="an attempt")
    assert stage.depth().in_flight == 1
    weather.failing = set()
    until(errback_job, what="the errback")
    assert Config().task_publish_retry
