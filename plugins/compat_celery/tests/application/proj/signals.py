"""What the application connects to."""

from celery.signals import (
    after_task_publish,
    before_task_publish,
    task_failure,
    task_postrun,
    task_prerun,
    task_retry,
    task_success,
)
from proj.notes import note

WATCHED = {"proj.tasks.handled", "proj.tasks.handled_failure", "proj.tasks.handled_retry"}


@before_task_publish.connect
def published_soon(sender=None, headers=None, **kwargs):
    if sender in WATCHED and headers["retries"] == 0:
        note(f"signals-{headers['id']}", signal="before_task_publish")


@after_task_publish.connect
def published(sender=None, headers=None, **kwargs):
    if sender in WATCHED and headers["retries"] == 0:
        note(f"signals-{headers['id']}", signal="after_task_publish")


@task_prerun.connect
def starts(sender=None, task_id=None, args=None, **kwargs):
    if sender.name in WATCHED:
        note(f"signals-{task_id}", signal="task_prerun", args=list(args))


@task_success.connect
def succeeded(sender=None, result=None, **kwargs):
    if sender.name in WATCHED:
        note(f"signals-{sender.request.id}", signal="task_success", result=result)


@task_failure.connect
def failed(sender=None, task_id=None, exception=None, **kwargs):
    if sender.name in WATCHED:
        note(f"signals-{task_id}", signal="task_failure", exception=repr(exception))


@task_retry.connect
def retried(sender=None, request=None, reason=None, **kwargs):
    if sender.name in WATCHED:
        note(f"signals-{request.id}", signal="task_retry")


@task_postrun.connect
def ended(sender=None, task_id=None, state=None, **kwargs):
    if sender.name in WATCHED:
        note(f"signals-{task_id}", signal="task_postrun", state=state)
