"""``celery.contrib.testing.tasks``: the task by which a test finds out that a worker works."""

from kernel.app.shared import shared_task


@shared_task(name="celery.ping")
def ping() -> str:
    """Answer."""
    return "pong"
