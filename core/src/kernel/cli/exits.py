"""How the ``kernel`` program ends: exit codes by sysexits(3), and one line on the error stream."""

import os
import sys
import traceback
from enum import IntEnum
from typing import Final

import click

from kernel.errors import (
    Code,
    CodecError,
    DriverError,
    ImproperlyConfigured,
    KernelError,
    SecurityError,
    TaskError,
    TimeoutError,  # noqa: A004 - the name users of the calling API know
)


class Exit(IntEnum):
    """Exit codes, named as in sysexits(3)."""

    OK = 0
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    NO_USER = 67
    UNAVAILABLE = 69
    INTERNAL = 70
    CANT_CREATE = 73
    TEMPORARY = 75
    NO_PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130


class CommandError(KernelError):
    """A command cannot do what was asked; carries the exit code the program ends with.

    Args:
        exit_code: one of :class:`Exit`.
        message: what happened, with which value.
        cure: what to do.
    """

    code = "COMMAND"

    def __init__(self, exit_code: Exit, message: str, *, cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.exit_code = exit_code


_DRIVER_EXITS: Final[dict[str, Exit]] = {
    Code.UNAVAILABLE: Exit.UNAVAILABLE,
    Code.TIMEOUT: Exit.UNAVAILABLE,
    Code.EXHAUSTED: Exit.TEMPORARY,
    Code.AUTH: Exit.CONFIG,
    Code.CONFLICT: Exit.CONFIG,
    Code.UNSUPPORTED: Exit.CONFIG,
    Code.NOT_FOUND: Exit.NO_INPUT,
    Code.INVALID: Exit.DATA,
    Code.TOO_LARGE: Exit.DATA,
    Code.CORRUPT: Exit.DATA,
}

_CLASS_EXITS: Final[tuple[tuple[type[BaseException], Exit], ...]] = (
    (ImproperlyConfigured, Exit.CONFIG),
    (SecurityError, Exit.CONFIG),
    (TimeoutError, Exit.TEMPORARY),
    (CodecError, Exit.DATA),
    (TaskError, Exit.USAGE),
    (click.UsageError, Exit.USAGE),
    (click.FileError, Exit.NO_INPUT),
    (click.exceptions.Abort, Exit.INTERRUPTED),
    (KeyboardInterrupt, Exit.INTERRUPTED),
)


def exit_code(error: BaseException) -> int:
    """The exit code that tells a script what kind of thing went wrong."""
    match error:
        case CommandError():
            return error.exit_code
        case DriverError():
            return _DRIVER_EXITS.get(error.code, Exit.INTERNAL)
        case _:
            return next((code for kind, code in _CLASS_EXITS if isinstance(error, kind)), Exit.INTERNAL)


def one_line(error: BaseException) -> str:
    """What the terminal shows of `error`: one line that says what happened and what to do."""
    match error:
        case KernelError():
            return error.one_line()
        case click.UsageError():
            return f"{_sentence(error.format_message())} {_usage_cure(error)}"
        case click.ClickException():
            return _sentence(error.format_message())
        case click.exceptions.Abort() | KeyboardInterrupt():
            return "interrupted"
        case _:
            text = " ".join(str(error).split())
            return f"{type(error).__name__}: {text} (a defect: KERNEL_DEBUG=1 shows where)"


def wants_traceback() -> bool:
    """Whether ``KERNEL_DEBUG`` asks for tracebacks beside the one line of an error."""
    return os.environ.get("KERNEL_DEBUG", "") not in {"", "0"}


def report(error: BaseException, name: str = "kernel") -> int:
    """Print `error` as one line on the error stream, with a traceback when ``KERNEL_DEBUG`` is set; the exit code.

    Args:
        error: what happened.
        name: the program's name.
    """
    if wants_traceback():
        traceback.print_exception(error)
    sys.stdout.flush()
    click.echo(f"{name}: error: {one_line(error)}", err=True)
    return exit_code(error)


def _sentence(message: str) -> str:
    text = " ".join(message.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _usage_cure(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "kernel"
    program, _, command = path.partition(" ")
    option = getattr(error, "option_name", None)
    if option in _GLOBAL_OPTIONS and command:
        return f"{option} is a global option and stands before the command: {program} {option} ... {command}"
    return f"Try '{path} --help'."


_GLOBAL_OPTIONS: Final = frozenset(
    {"-A", "--app", "-b", "--broker", "--result-backend", "--workdir", "-C", "--no-color"}
)
