"""The task: count one text file.

`app` has no broker in its source. Where the messages are kept is configuration: run.py sets KERNEL_BROKER_URL and
KERNEL_RESULT_BACKEND for the workers it starts; on its own this module uses the embedded default, a file kernel.sqlite3
in the working directory.
"""

import os
import time
from pathlib import Path
from typing import Any

from counting import Skipped, count_file

from kernel import Kernel

app = Kernel("textstats")

HOLD_SECONDS = 30.0


@app.task(acks_late=True)
def count(path: str, journal: str, hold: str | None = None) -> dict[str, Any]:
    """Count words, lines and bytes of one file, and its most frequent terms.

    Late acknowledgement: when the process that runs this is killed, the message is delivered to another one.

    Args:
        path: the file.
        journal: a file that gets one line per execution, so that run.py can tell executions from results.
        hold: a file; while it exists the task waits (run.py kills the process that waits there).
    """
    note_execution(journal, path)
    wait_while_it_exists(hold)
    try:
        return {"path": path, **count_file(Path(path))}
    except Skipped as reason:
        return {"path": path, "skipped": str(reason)}
    except OSError as error:
        return {"path": path, "skipped": error.strerror or type(error).__name__}


def note_execution(journal: str, path: str) -> None:
    """One line, in one write, so that lines of several processes never mix."""
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{os.getpid()}\t{path}\n".encode(errors="surrogateescape"))
    finally:
        os.close(file)


def wait_while_it_exists(hold: str | None) -> None:
    """Wait for run.py to take `hold` away, or to kill this process."""
    deadline = time.monotonic() + HOLD_SECONDS
    while hold is not None and Path(hold).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
