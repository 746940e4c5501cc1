"""The peer on Redis: Huey, results in the same database."""

import os

from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BENCH_BROKER"])
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
