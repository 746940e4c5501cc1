"""Patterns of task names that are regular expressions; globs are in :mod:`kernel.model.glob`."""

import re


class Regex:
    """A compiled expression, matched from the start of the name, as Celery does.

    What it costs is up to its author; the answer is kept per task name.
    """

    __slots__ = ("_pattern",)

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def matches(self, name: str) -> bool:
        """Whether the name starts with a match."""
        return self._pattern.match(name) is not None
