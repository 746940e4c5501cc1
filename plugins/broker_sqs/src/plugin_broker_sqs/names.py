"""Queue names here and at the server, where only letters, digits, hyphens and underscores are possible.

In Celery's namespace names are mapped as Celery maps them (wire.md 8), which can make two names one; a process that
meets both refuses the second. Elsewhere a dot becomes two hyphens, and a name that could be mistaken for such a one is
refused, so that two names are never one queue.
"""

import re
import string
from typing import Final

from kernel.errors import Code, DriverError
from plugin_broker_sqs.options import Settings

FIFO: Final = ".fifo"
LONGEST: Final = 80
_OWN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_DOUBTFUL: Final = re.compile(r"--|-\.|\.-")
_CELERY: Final = re.compile(rf"[A-Za-z0-9{re.escape(string.punctuation)}]+")
_CELERY_TABLE: Final = {ord(mark): "_" for mark in string.punctuation if mark not in "-_."} | {ord("."): "-"}


class QueueNames:
    """Maps names, each way unmistakable within this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._taken: dict[str, str] = {}

    @property
    def pattern(self) -> str:
        """What names must match; the length at the server is checked beside it."""
        if self._settings.celery:
            return rf"[A-Za-z0-9{re.escape(string.punctuation)}]{{1,{LONGEST}}}"
        ending = r"(?!.*\.fifo$)" if self._settings.fifo else ""
        return rf"(?!.*(?:--|-\.|\.-)){ending}[A-Za-z0-9_.-]{{1,{LONGEST}}}"

    def is_fifo(self, name: str) -> bool:
        """Whether a queue of that name is a FIFO queue, which the ending of its name at the server decides."""
        url = self._settings.predefined_queues.get(name)
        return self._settings.fifo or (url or name).endswith(FIFO)

    def at_server(self, name: str) -> str:
        """The queue's name at the server.

        Raises:
            DriverError: INVALID for a name that cannot be, or that another queue's name has taken.
        """
        mapped = self._mapped(name)
        if len(mapped) > LONGEST:
            raise _impossible(name, f"at the server it would be {mapped!r}, longer than {LONGEST} characters")
        owner = self._taken.setdefault(mapped, name)
        if owner != name:
            raise _impossible(name, f"at the server both it and {owner!r} would be {mapped!r}")
        return mapped

    def here(self, at_server: str) -> str:
        """The name of a queue that is known by its name at the server, such as the origin of a dead letter."""
        if at_server in self._taken:
            return self._taken[at_server]
        stem = at_server.removeprefix(self._settings.queue_name_prefix)
        if self._settings.celery:
            return stem
        return (stem.removesuffix(FIFO) if self._settings.fifo else stem).replace("--", ".")

    def _mapped(self, name: str) -> str:
        grammar = _CELERY if self._settings.celery else _OWN
        if not isinstance(name, str) or not grammar.fullmatch(name):
            raise _impossible(name, "letters, digits, hyphens, underscores and dots are possible")
        stem = self._settings.queue_name_prefix + name
        ending = FIFO if self.is_fifo(name) else ""
        if self._settings.celery:
            return stem.removesuffix(FIFO).translate(_CELERY_TABLE) + ending
        if self._settings.fifo and name.endswith(FIFO):
            raise _impossible(name, "the option fifo adds this ending")
        stem = stem.removesuffix(FIFO)
        if _DOUBTFUL.search(stem):
            raise _impossible(
                name, "two hyphens in a row stand for a dot at the server, so '--', '-.' and '.-' are not"
            )
        return stem.replace(".", "--") + ending


def _impossible(name: object, why: str) -> DriverError:
    return DriverError(Code.INVALID, f"The queue name {name!r} is not possible: {why}", cure="Choose another name.")
