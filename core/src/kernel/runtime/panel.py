"""The commands of remote control that a node obeys: its own, and those that an application adds (features.md 2.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

Kind = Literal["inspect", "control"]
F = TypeVar("F", bound=Callable[..., Any])
Arguments = Sequence[tuple[str, Callable[[str], Any]]]

OWN = "kernel.runtime."
"""Commands from below here are the kernel's own: quick, and carried out in the thread that listens."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: what a request calls.
        function: called with the :class:`kernel.runtime.panel_state.PanelState` and the request's arguments by name;
            what it returns is the answer.
        kind: ``inspect`` looks, ``control`` changes something.
        help: one line.
        signature: its arguments as the command line shows them.
        args: its positional arguments on the command line: names, each with what makes its value of a text.
        variadic: the argument that takes the rest of them as a list; None when there is none.
        default_timeout: seconds the command line waits for answers.
        visible: whether the command line offers it.
    """

    name: str
    function: Callable[..., Any]
    kind: Kind
    help: str = ""
    signature: str = ""
    args: Arguments = ()
    variadic: str | None = None
    default_timeout: float = 1.0
    visible: bool = True

    @property
    def quick(self) -> bool:
        """Whether it may be carried out in the thread that listens."""
        return str(self.function.__module__).startswith(OWN)


class CommandOptions(TypedDict, total=False):
    """Options of :func:`control_command` and :func:`inspect_command`, as in :class:`Command`.

    ``name`` defaults to the function's, ``help`` to the first line of its docstring; ``alias`` is a second name.
    """

    name: str
    alias: str | None
    help: str | None
    signature: str | None
    args: Arguments | None
    variadic: str | None
    default_timeout: float
    visible: bool


COMMANDS: dict[str, Command] = {}
"""Every command of this process by its names. A module that is imported may add some; the last of one name counts."""


class Registration:
    """What ``@control_command(…)`` and ``@inspect_command(…)`` put before a function."""

    def __init__(self, kind: Kind, options: CommandOptions) -> None:
        for name in options:
            if name not in CommandOptions.__annotations__:
                raise TypeError(f"{kind}_command() got an unexpected option {name!r}")
        self._kind = kind
        self._options = options

    def __call__(self, function: F) -> F:
        options = self._options
        name = options.get("name") or function.__name__
        command = Command(
            name,
            function,
            self._kind,
            help=options.get("help") or (getdoc(function) or "").partition("\n")[0],
            signature=options.get("signature") or "",
            args=tuple(options.get("args") or ()),
            variadic=options.get("variadic"),
            default_timeout=options.get("default_timeout", 1.0),
            visible=options.get("visible", True),
        )
        for each in filter(None, (name, options.get("alias"))):
            COMMANDS[each] = command
        return function


@overload
def control_command(function: F, /) -> F: ...
@overload
def control_command(function: None = None, /, **options: Unpack[CommandOptions]) -> Registration: ...
def control_command(function: F | None = None, /, **options: Unpack[CommandOptions]) -> F | Registration:
    """Make a command of a function that changes something in a worker: ``@control_command(args=[("n", int)])``.

    The function gets the worker's :class:`~kernel.runtime.panel_state.PanelState` and the arguments of the request by
    name. It answers ``{"ok": text}``, ``{"error": text}``, or whatever else the serializer of messages can carry; an
    exception becomes ``{"error": repr}``.
    """
    registration = Registration("control", options)
    return registration if function is None else registration(function)


@overload
def inspect_command(function: F, /) -> F: ...
@overload
def inspect_command(function: None = None, /, **options: Unpack[CommandOptions]) -> Registration: ...
def inspect_command(function: F | None = None, /, **options: Unpack[CommandOptions]) -> F | Registration:
    """Make a command of a function that tells something of a worker; otherwise as :func:`control_command`."""
    registration = Registration("inspect", options)
    return registration if function is None else registration(function)


def commands_of(kind: Kind) -> dict[str, Command]:
    """The commands of that kind a person may be offered, by name, in their order."""
    found = {command.name: command for command in COMMANDS.values() if command.kind == kind and command.visible}
    return dict(sorted(found.items()))
