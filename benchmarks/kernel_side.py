"""Our side of the embedded benchmark: an application on one SQLite file, given by the environment."""

import os

from kernel import Kernel

URL = f"sqlite:///{os.environ['BENCH_DB']}"
app = Kernel("benchmarks.kernel_side", broker=URL, backend=URL)
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
