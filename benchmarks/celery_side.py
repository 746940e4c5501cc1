"""A peer: Celery on the broker and result backend that the environment names."""

import os

from celery import Celery
from celery.signals import after_task_publish

app = Celery("bench", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_BACKEND"])
if "BENCH_CONFIRM" in os.environ:
    app.conf.broker_transport_options = {"confirm_publish": True}
app.conf.update(worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "128")), result_persistent=False)
_counter = os.open(os.environ["BENCH_COUNTER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@app.task(ignore_result=True)
def noop() -> None:
    """Count, and nothing else."""
    os.write(_counter, b".")


@app.task
def answer() -> int:
    """Count, and leave a result."""
    os.write(_counter, b".")
    return 1


@app.task
def total(numbers: list[int]) -> int:
    """The body of a chord."""
    return sum(numbers)


@app.task
def one_more(number: int) -> int:
    """A step of a chain."""
    return number + 1


if "BENCH_PUBLISHED" in os.environ:
    _published = os.open(os.environ["BENCH_PUBLISHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    after_task_publish.connect(lambda **_: os.write(_published, b"."), weak=False)
