"""A group of commands that are imported when they are used, so that a broken one breaks nothing but itself."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from kernel.cli.exits import CommandError, Exit
from kernel.errors.near import did_you_mean


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command lives, and the line ``kernel --help`` shows for it without importing it.

    ``dist`` is the distribution it comes with when that is not the kernel's own.
    """

    module: str
    attribute: str
    help: str
    dist: str = ""

    def load(self) -> click.Command:
        """Import the command.

        Raises:
            CommandError: its distribution is not installed.
        """
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if not self.dist or error.name != self.module.partition(".")[0]:
                raise
            message = f"this command comes with {self.dist}, which is not installed."
            raise CommandError(Exit.CONFIG, message, cure=f"pip install {self.dist}") from error
        command: click.Command = getattr(module, self.attribute)
        return command


class LazyGroup(click.Group):
    """A click group over a table of :class:`Lazy` commands, and over those that plugins add.

    Args:
        lazy: name → command of the kernel.
        extra: called with the context when a name is not in the table, and for the help page; gives the commands
            of plugins.
    """

    def __init__(
        self,
        *,
        lazy: Mapping[str, Lazy],
        extra: Callable[[click.Context], Mapping[str, click.Command]],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._lazy = dict(lazy)
        self.commands_of_plugins = extra

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The kernel's own commands in the order of the table."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name: the kernel's own first, so that no plugin can shadow one."""
        if cmd_name in self._lazy:
            return self._lazy[cmd_name].load()
        return super().get_command(ctx, cmd_name) or self.commands_of_plugins(ctx).get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with the nearest names for an unknown one."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        known = [*self.list_commands(ctx), *self.commands_of_plugins(ctx)]
        raise click.UsageError(f"no such command: {name!r}. {did_you_mean(name, known)}".strip(), ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help page, written from the table: nothing of the kernel's own is imported for it."""
        rows = [(name, entry.help) for name, entry in self._lazy.items()]
        rows += [(name, self.commands[name].get_short_help_str()) for name in super().list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        added = [
            (name, each.get_short_help_str())
            for name, each in self.commands_of_plugins(ctx).items()
            if name not in self._lazy
        ]
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(added)
