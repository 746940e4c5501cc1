"""The peer: Huey on its SQLite storage, given by the environment."""

import os

from huey import SqliteHuey

# Huey flushes every commit to the disk unless told otherwise; ours survives a killed process without.
huey = SqliteHuey("bench", filename=os.environ["BENCH_DB"], fsync="BENCH_NO_FSYNC" not in os.environ)
_counter = os.open(os.environ["BENCH_COUNTER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@huey.task()
def noop() -> None:
    """Count, and leave no result: Huey stores none for None."""
    os.write(_counter, b".")


@huey.task()
def answer() -> int:
    """Count, and leave a result."""
    os.write(_counter, b".")
    return 1
