"""The tasks: count one text file, in bounded memory.

`app` has no broker in its source. Where the messages are kept is configuration: run.py sets KERNEL_BROKER_URL and
KERNEL_RESULT_BACKEND for the workers it starts; on its own this module uses the embedded default, a file kernel.sqlite3
in the working directory.
"""

import codecs
import os
import re
import stat
import time
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

from kernel import Kernel

app = Kernel("textstats")

CHUNK = 256 * 1024
"""Bytes read at once."""

MAX_BYTES = 64 * 1024 * 1024
"""A larger file is skipped: one task shall not hold a worker for long."""

MAX_TERMS = 50_000
"""Distinct terms kept while counting a file; beyond, the rare half is forgotten."""

TOP_TERMS = 50
"""Terms a result carries home."""

LONGEST_TERM = 200
TERM = re.compile(r"[^\W\d_]{3,}")
HOLD_SECONDS = 30.0


class Skipped(Exception):
    """The file is not counted, and why."""


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


def count_file(path: Path) -> dict[str, Any]:
    """The numbers of one file; raises Skipped for what is no text file of reasonable size."""
    # Not blocking, in case the name has become a pipe since it was listed.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOFOLLOW)) as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise Skipped("not a regular file")
        if facts.st_size > MAX_BYTES:
            raise Skipped(f"larger than {MAX_BYTES // 1024**2} MiB")
        return count_stream(file)


def count_stream(file: BinaryIO) -> dict[str, Any]:
    """Count piece by piece; what a piece cuts in two is counted once."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    terms: Counter[str] = Counter()
    size = lines = words = 0
    inside_word = False
    letters = ""
    while piece := file.read(CHUNK):
        if b"\0" in piece:
            raise Skipped("binary")
        size += len(piece)
        if size > MAX_BYTES:
            raise Skipped(f"grew beyond {MAX_BYTES // 1024**2} MiB")
        lines += piece.count(b"\n")
        text = decoder.decode(piece)
        if text:
            words += len(text.split()) - (inside_word and not text[0].isspace())
            inside_word = not text[-1].isspace()
            text, letters = cut(letters + text)
            terms.update(term.lower() for term in TERM.findall(text))
            if len(terms) > MAX_TERMS:
                terms = Counter(dict(terms.most_common(MAX_TERMS // 2)))
    terms.update(term.lower() for term in TERM.findall(letters))
    return {"bytes": size, "lines": lines, "words": words, "terms": terms.most_common(TOP_TERMS)}


def cut(text: str) -> tuple[str, str]:
    """Split before the letters at the end, which may go on in the next piece; a very long run is cut anywhere."""
    start = max(0, len(text) - LONGEST_TERM)
    end = len(text)
    while end > start and text[end - 1].isalpha():
        end -= 1
    return (text[:end], text[end:]) if end > start else (text, "")


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
