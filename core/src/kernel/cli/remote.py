"""What ``kernel inspect``, ``control`` and ``status`` share: options, arguments, answers (features.md 1.28)."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from kernel.app.imports import import_task_modules
from kernel.app.kernel import Kernel
from kernel.cli.exits import CommandError, Exit
from kernel.cli.output import plain, print_json
from kernel.errors.near import did_you_mean
from kernel.model.control import Reply
from kernel.runtime.panel import COMMANDS, Command, Kind, commands_of

F = TypeVar("F", bound=Callable[..., Any])

FAILED = 1
"""Exit code when a node answered with an error."""


def remote_options(command: F) -> F:
    """``-t``, ``-d``, ``--output`` and its short form ``-j``."""
    choice = click.Choice(["text", "json"])
    options = [
        click.option("-t", "--timeout", type=click.FloatRange(min=0), help="Seconds to wait for answers; 1 without."),
        click.option(
            "-d", "--destination", callback=_names, metavar="NAMES", help="Only these nodes, separated by commas."
        ),
        click.option("--output", type=choice, default="text", show_default=True, help="Who is to read it."),
        click.option("-j", "--json", "output", flag_value="json", help="The same as --output json."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter(f"{value!r} names nothing")
    return names


def find_command(app: Kernel, kind: Kind, name: str) -> Command:
    """The command of that name, which the application's modules may have added.

    Raises:
        click.UsageError: there is none of that kind.
    """
    if name not in COMMANDS:
        import_task_modules(app, app.config)
    command = COMMANDS.get(name)
    if command is None or command.kind != kind:
        known = commands_of(kind)
        near = did_you_mean(name, known)
        raise click.UsageError(f"{name!r} is no {kind} command. {near or 'Known are ' + ', '.join(known) + '.'}")
    return command


def arguments_of(command: Command, words: Sequence[str]) -> dict[str, Any]:
    """A command's arguments by name, from the words of the command line.

    Raises:
        click.UsageError: for a word that is no such value, and for too many.
    """
    found: dict[str, Any] = {}
    for (name, convert), word in zip(command.args, words, strict=False):
        try:
            found[name] = convert(word)
        except (TypeError, ValueError) as error:
            raise click.UsageError(f"{command.name}: {word!r} is no {name}: {error}. {_usage(command)}") from None
    rest = list(words[len(command.args) :])
    if rest and command.variadic is None:
        raise click.UsageError(f"{command.name}: {rest[0]!r} is one argument too many. {_usage(command)}")
    if command.variadic is not None and (rest or not found):
        found[command.variadic] = rest
    return found


def _usage(command: Command) -> str:
    return f"Write {' '.join(filter(None, (command.name, command.signature)))}."


def print_commands(kind: Kind) -> None:
    """The commands a person may choose from."""
    formatter = click.HelpFormatter(max_width=100)
    rows = [(f"{name} {command.signature}".rstrip(), command.help) for name, command in commands_of(kind).items()]
    with formatter.section(f"{kind.capitalize()} commands"):
        formatter.write_dl(rows)
    click.echo(formatter.getvalue(), nl=False)


class Answers:
    """Shows answers as they come, or all of them at the end.

    Args:
        output: ``text`` or ``json``.
        quiet: no last line.
        bare: only who answered, not what.
    """

    def __init__(self, output: str, *, quiet: bool = False, bare: bool = False) -> None:
        self._json = output == "json"
        self._quiet = quiet
        self._bare = bare
        self._failed = False

    def heard(self, reply: Reply) -> None:
        """An answer came."""
        for node, answer in reply.items():
            self._failed = self._failed or (isinstance(answer, Mapping) and "error" in answer)
            if not self._json:
                self._show(node, answer)

    def end(self, replies: object, count: int, timeout: float) -> int:
        """No more will come; the exit code.

        Raises:
            CommandError: nobody answered.
        """
        if not count:
            raise CommandError(
                Exit.UNAVAILABLE,
                f"No node answered within {timeout:g} s.",
                cure="Is a worker running with this broker and namespace? A busy one may need more time: -t 5.",
            )
        if self._json:
            print_json(replies)
        elif not self._quiet:
            click.echo(f"\n{count} {'node' if count == 1 else 'nodes'} online.")
        return FAILED if self._failed else Exit.OK

    def _show(self, node: str, answer: Any) -> None:
        word, text = _status(answer)
        color = "red" if word == "ERROR" else "green"
        click.echo(f"->  {click.style(node, fg='cyan', bold=True)}: {click.style(word, fg=color, bold=True)}")
        if not self._bare:
            for line in text.splitlines():
                click.echo(f"        {line}")


def _status(answer: Any) -> tuple[str, str]:
    """``OK`` or ``ERROR``, and what there is to read."""
    match answer:
        case {"ok": said}:
            return "OK", _readable(said)
        case {"error": said}:
            return "ERROR", _readable(said)
        case []:
            return "OK", "- empty -"
        case list():
            return "OK", "\n".join(f"* {_readable(each)}" for each in answer)
    return "OK", _readable(answer)


def _readable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(plain(value), indent=2, ensure_ascii=False)
