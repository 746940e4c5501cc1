"""Options that an application adds to the program: ``app.user_options["preload"].add(click.Option(["-Z"]))``."""

from typing import Any, Final

import click

from kernel.cli.invocation import Invocation
from kernel.cli.lazy import LazyGroup
from kernel.runtime.signal_table import user_preload_options

_COMMANDS: Final = frozenset({
    "beat", "call", "control", "events", "inspect", "purge", "result", "shell", "status", "worker",
})  # fmt: skip
"""Commands that use the application of ``-A``."""


class UserGroup(LazyGroup):
    """The commands, each with the options of the application that ``-A`` names."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        command = super().get_command(ctx, cmd_name)
        return UserCommand(command) if command is not None and cmd_name in _COMMANDS else command


class UserCommand(click.Command):
    """A command with the options that the application adds: to all of them (``preload``), or to this one by its name.

    Receivers of ``user_preload_options`` are told their values before it runs.

    Args:
        command: the command itself.
    """

    def __init__(self, command: click.Command) -> None:
        self._command = command
        super().__init__(command.name, params=command.params, help=command.help, epilog=command.epilog)
        self.context_settings = command.context_settings

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its options; the application is imported for it."""
        return [*super().get_params(ctx), *_added(ctx)]

    def invoke(self, ctx: click.Context) -> Any:
        """Tell the values, then run the command with its own."""
        added = _added(ctx)
        if added:
            given = {name: ctx.params.pop(name) for option in added if (name := option.name) is not None}
            user_preload_options.send(self._command, app=_app(ctx), options=given)
        return self._command.invoke(ctx)


def _app(ctx: click.Context) -> Any:
    invocation = ctx.find_object(Invocation)
    if invocation is None:
        return None
    return invocation.given_app if invocation.app_path is None else invocation.app()


def _added(ctx: click.Context) -> list[click.Option]:
    wanted = getattr(_app(ctx), "user_options", {})
    return [*wanted.get("preload", ()), *wanted.get(ctx.info_name, ())]
