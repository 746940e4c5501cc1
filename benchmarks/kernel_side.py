"""Our side: an application on the broker and result backend that the environment names."""

import os

from kernel import Kernel
from kernel.signals import after_task_publish

# Unlike ours, the peers do not wait for the server's confirmation unless they are told to; each figure says which.
UNCONFIRMED = {"confirm_publish": False} if "BENCH_UNCONFIRMED" in os.environ else {}
app = Kernel(
    "benchmarks.kernel_side",
    broker=os.environ["BENCH_BROKER"],
    backend=os.environ["BENCH_BACKEND"],
    broker_transport_options=UNCONFIRMED,
)
_counter = os.open(os.environ["BENCH_COUNTER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@app.task(ignore_result=True)
def noop() -> None:
    """Count, and nothing else."""
    os.write(_counter, b".")


@app.task(ignore_result=True, acks_late=True)
def late_noop() -> None:
    """The same, acknowledged after it ran."""
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
