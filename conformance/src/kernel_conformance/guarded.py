"""Hostile work with a verdict in words: what it answered, or how it failed, and the forbidden things it did."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kernel_conformance.hostile import Fate, try_hostile

_NO_BOUND: Final = 1 << 40
_FORBIDDEN: Final = frozenset(
    {
        "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.remove", "os.rename",
        "os.mkdir", "os.kill", "subprocess.Popen", "socket.__new__", "socket.connect", "socket.getaddrinfo", "import",
        "pickle.find_class", "ctypes.dlopen", "urllib.Request", "exec", "compile", "builtins.input", "sqlite3.connect",
    }
)  # fmt: skip
"""Audit events (PEP 578) that decoding data, and making an object, has no business with."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the work ended.

    Attributes:
        fate: what became of the call.
        deeds: forbidden things it did, such as ``os.system ('true',)``; only when watched.
    """

    fate: Fate
    deeds: tuple[str, ...] = ()

    def answer(self, what: str) -> Any:
        """What the work returned.

        Raises:
            AssertionError: naming ``what`` failed, and how.
        """
        assert not self.fate.died, f"{what}: the process {self.fate.died}"
        error = self.fate.error
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        assert error is None, f"{what}: {kind}{error}"
        return self.fate.value


def in_child(
    work: Callable[[], Any], *, seconds: float = 30.0, memory: int = _NO_BOUND, watched: bool = False
) -> Ended:
    """Do ``work`` in a forked child.

    Args:
        work: what to do; its value must be picklable.
        seconds: after so long the child is killed.
        memory: bytes of address space it may take beyond what this process has.
        watched: whether to record forbidden audit events.
    """
    if not watched:
        return Ended(try_hostile(work, seconds=seconds, memory=memory))
    fate = try_hostile(_Watched(work), seconds=seconds, memory=memory)
    if fate.died or fate.error is not None:
        return Ended(fate)
    value, deeds = fate.value
    return Ended(Fate(value, None, "", fate.seconds, fate.grown), deeds)


class _Watched:
    """Notes what the work does; lives in the child, where hooks need not be removed again."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._on = False
        self._deeds: list[str] = []

    def __call__(self) -> tuple[Any, tuple[str, ...]]:
        sys.addaudithook(self._hear)
        self._on = True
        try:
            value = self._work()
        finally:
            self._on = False
        return value, tuple(self._deeds[:10])

    def _hear(self, event: str, args: tuple[object, ...]) -> None:
        if self._on and (event in _FORBIDDEN or (event == "open" and _writes(args))):
            self._deeds.append(f"{event} {args!r:.120}")


def _writes(args: tuple[object, ...]) -> bool:
    flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
