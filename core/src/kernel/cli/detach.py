"""Leave the terminal: the same command again as a process of its own, which tells when it runs (features.md 2.4).

The one that was called waits for that, so that a mistake is an error on the terminal with its exit code, as if nothing
had been detached. A fresh process is started, rather than this one forked: whatever was opened here stays here.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from kernel.cli.exits import CommandError, Exit

DETACHED: Final = "KERNEL_DETACHED"
"""Environment: the descriptor on which a detached process says that it runs; "-" when nobody waits for that."""
AGAIN: Final = "KERNEL_AGAIN"
"""Environment: the process has begun anew."""
_SHOWN: Final = 20_000
"""Bytes of what a process said before it failed."""


def send_off(folder: Path, executable: str | None = None) -> "Sent":
    """Run this command again in the background, and wait until it runs or has ended.

    Args:
        folder: where this process was started.
        executable: the Python interpreter; None is this one.

    Raises:
        CommandError: when the interpreter cannot be started.
    """
    heard, tell = os.pipe()
    with tempfile.TemporaryFile() as said:
        os.set_inheritable(tell, True)
        pid = _spawn(command(executable), folder, said.fileno(), tell)
        os.close(tell)
        with open(heard, "rb") as news:  # noqa: PTH123 - a descriptor
            told = news.readline()
        if told:
            return Sent(0, json.loads(told))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        text = said.read(_SHOWN).decode(errors="replace").strip()
        if code < 0 or not text:
            how = f"killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"
            text = f"{text}\nkernel: error: The process in the background did not get to run: {how}.".strip()
        return Sent(code if code > 0 else Exit.INTERNAL, {}, text)


class Sent(NamedTuple):
    """How a process in the background began: ``code`` 0 and what it told, or its exit code and its own words."""

    code: int
    facts: Mapping[str, Any]
    words: str = ""


def command(executable: str | None = None) -> list[str]:
    """How this process was started."""
    return [executable or sys.executable, *sys.orig_argv[1:]]


def take_marker() -> str | None:
    """What the environment says of being detached, once: processes that this one starts are not."""
    marker = os.environ.pop(DETACHED, None)
    if marker is not None and marker.isdecimal():
        os.set_inheritable(int(marker), False)
    return marker


def take_again() -> bool:
    """Whether this process has begun anew; said once."""
    return os.environ.pop(AGAIN, None) is not None


def tell(marker: str, facts: Mapping[str, Any]) -> None:
    """Tell whoever waits that this process runs."""
    if marker.isdecimal():
        with suppress(OSError):  # it did not wait
            os.write(int(marker), f"{json.dumps(facts)}\n".encode())
            os.close(int(marker))


def redirect(path: str | None) -> None:
    """From now on, what is not logged but printed goes to a file, or nowhere."""
    fd = os.open(path or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for standard in (1, 2):
        os.dup2(fd, standard)
    os.close(fd)


def has_terminal() -> bool:
    """Whether this process belongs to a terminal, whose end SIGHUP tells."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _spawn(words: list[str], folder: Path, said: int, tell: int) -> int:
    os.chdir(folder)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, said, 1),
        (os.POSIX_SPAWN_DUP2, said, 2),
    ]
    environment = {**os.environ, DETACHED: str(tell)}
    try:
        return os.posix_spawn(words[0], words, environment, file_actions=actions, setsid=True)
    except OSError as error:
        raise CommandError(
            Exit.CONFIG, f"{words[0]!r} cannot be started: {error.strerror}.", cure="Name a Python with --executable."
        ) from error
