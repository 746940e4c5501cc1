"""Globs of task names. A glob matches in time linear in the name times the number of stars, whatever it is."""


class Glob:
    """``*`` stands for any run of characters, also for none; everything else for itself."""

    __slots__ = ("_first", "_last", "_least", "_middle")

    def __init__(self, glob: str) -> None:
        self._first, *middle, self._last = glob.split("*")
        self._middle = tuple(part for part in middle if part)
        self._least = len(glob) - glob.count("*")

    def matches(self, name: str) -> bool:
        """Whether the whole name matches: each part is sought leftmost, so nothing is tried twice."""
        if len(name) < self._least or not name.startswith(self._first) or not name.endswith(self._last):
            return False
        position, end = len(self._first), len(name) - len(self._last)
        for part in self._middle:
            position = name.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True
