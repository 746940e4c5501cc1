"""Counting one text file in bounded memory; nothing here knows of tasks."""

import codecs
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

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


class Skipped(Exception):
    """The file is not counted, and why."""


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
    return (text, "") if len(text) - end >= LONGEST_TERM else (text[:end], text[end:])
