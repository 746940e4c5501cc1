"""``celery.platforms``: signals and exit codes by name."""

import errno
import platform
import signal as signal_module
from importlib import import_module

from plugin_compat_celery.adapter.absent import missing

SYSTEM = platform.system()
IS_macOS = SYSTEM == "Darwin"
IS_WINDOWS = SYSTEM == "Windows"

EX_OK = 0
EX_FAILURE = 1
EX_UNAVAILABLE = 69
EX_USAGE = 64
EX_CANTCREAT = 73


def pyimplementation() -> str:
    """The name of this implementation of Python."""
    return platform.python_implementation()


def isatty(fh: object) -> bool:
    """Whether a file is a terminal."""
    return bool(getattr(fh, "isatty", bool)())


def signal_name(signum: int) -> str:
    """``TERM`` for 15."""
    return signal_module.Signals(signum).name.removeprefix("SIG")


def get_errno_name(n: int | str) -> int:
    """The number of ``ENOENT``; a number is returned as it is.

    Raises:
        AttributeError: there is no such error.
    """
    return int(getattr(errno, n)) if isinstance(n, str) else n


def parse_uid(uid: int | str) -> int:
    """The number of a user given by number or name.

    Raises:
        KeyError: there is no such user.
    """
    return int(uid) if str(uid).isdecimal() else int(import_module("pwd").getpwnam(uid).pw_uid)


def parse_gid(gid: int | str) -> int:
    """The number of a group given by number or name.

    Raises:
        KeyError: there is no such group.
    """
    return int(gid) if str(gid).isdecimal() else int(import_module("grp").getgrnam(gid).gr_gid)


class Signals:
    """Signals and their handlers by name: ``signals["TERM"] = handler``."""

    def signum(self, name: int | str) -> signal_module.Signals:
        """The number of ``TERM``, ``SIGTERM`` or 15.

        Raises:
            KeyError: there is no such signal.
        """
        if isinstance(name, int):
            return signal_module.Signals(name)
        upper = name.upper()
        return signal_module.Signals[upper if upper.startswith("SIG") else f"SIG{upper}"]

    def supported(self, name: int | str) -> bool:
        """Whether there is such a signal here."""
        try:
            self.signum(name)
        except KeyError:
            return False
        return True

    def ignore(self, *names: int | str) -> None:
        """Ignore them."""
        for name in names:
            signal_module.signal(self.signum(name), signal_module.SIG_IGN)

    def reset(self, *names: int | str) -> None:
        """Let them do what they do by themselves."""
        for name in names:
            signal_module.signal(self.signum(name), signal_module.SIG_DFL)

    def __getitem__(self, name: int | str) -> object:
        return signal_module.getsignal(self.signum(name))

    def __setitem__(self, name: int | str, handler: signal_module.Handlers) -> None:
        signal_module.signal(self.signum(name), handler)


signals = Signals()


def strargv(argv: list[str]) -> str:
    """The arguments of a program after its name, as one text."""
    return " ".join(argv[1:])


__getattr__ = missing(__name__)

__all__ = [
    "EX_FAILURE",
    "EX_OK",
    "EX_UNAVAILABLE",
    "EX_USAGE",
    "IS_WINDOWS",
    "SYSTEM",
    "IS_macOS",
    "get_errno_name",
    "isatty",
    "parse_gid",
    "parse_uid",
    "pyimplementation",
    "signal_name",
    "signals",
]
