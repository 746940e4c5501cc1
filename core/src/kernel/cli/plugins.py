"""``kernel plugins``: what is installed, what is wrong with it, and what is not to be loaded.

Every command works while any plugin is broken: plugins are tried behind the loader's guard, and ``disable`` and
``enable`` import none.
"""

import traceback
from collections.abc import Iterable

import click

from kernel.app.settings import Settings
from kernel.cli.exits import Exit, wants_traceback
from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, print_json, print_table
from kernel.cli.plugin_rows import find_entries, print_options, try_plugins, unsafe_places
from kernel.cli.plugin_switch import SETTING, Switch, read_switch, word_of
from kernel.cli.plugins_new import new_command
from kernel.errors import ImproperlyConfigured, KernelError, PluginError
from kernel.runtime.plugin_entries import take_inventory
from kernel.runtime.plugin_selection import Selection, parse_item
from kernel.runtime.plugins import discover


@click.group("plugins")
def plugins_group() -> None:
    """List, examine, disable and write plugins."""


plugins_group.add_command(new_command)


@plugins_group.command("list")
@click.option("--options", "with_options", is_flag=True, help="Also the options that each plugin takes.")
@output_option
@click.pass_context
def list_command(ctx: click.Context, with_options: bool, output: str) -> None:
    """List every installed plugin with its version and contract.

    A plugin that cannot be used shows its error code; the list itself always succeeds.
    """
    configured = _Configured(ctx)
    rows = try_plugins(discover(), configured.disabled)
    if output == "json":
        print_json([row.as_json() | ({"options": row.options()} if with_options else {}) for row in rows])
    else:
        head = ("NAME", "KIND", "DISTRIBUTION", "VERSION", "CONTRACT", "STATUS")
        print_table(head, [row.cells() for row in rows])
        if with_options:
            print_options(rows)
    broken = sum(row.error is not None for row in rows)
    if broken:
        click.echo(f"{broken} of {len(rows)} cannot be used; 'kernel plugins doctor' tells why.", err=True)
    for problem in configured.problems:
        click.echo(f"warning: {problem.one_line()}", err=True)


@plugins_group.command("doctor")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_context
def doctor_command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Try every installed plugin, or those NAMEd; exit code 78 when there is a problem.

    Prints a line for each plugin; that of a problem ends with its remedy. Plugins that configuration names and that
    are not installed are problems, too.
    """
    configured = _Configured(ctx)
    entries, missing = find_entries(names) if names else (discover(), configured.missing())
    rows = try_plugins(entries, configured.disabled)
    problems = [*configured.problems, *missing, *(row.error for row in rows if row.error is not None)]
    for row in rows:
        if row.error is None:
            click.echo(f"{row.status:<9} {row.entry.name} ({row.entry.dist} {row.entry.version})")
    _tell(problems)
    for warning in unsafe_places(entries):
        click.echo(f"warning   {warning}", err=True)
    click.echo(f"Plugins: {len(rows)}. Problems: {len(problems)}.")
    if problems:
        ctx.exit(Exit.CONFIG)


@plugins_group.command("disable")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_context
def disable_command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Never load the plugins NAMEd.

    Adds them to 'disable_plugins' in kernel.toml, or in [tool.kernel] of a pyproject.toml that has it, and changes
    nothing else there. 'distribution:NAME' disables that of one distribution.
    """
    _, errors = find_entries(names)
    if errors:
        raise errors[0]
    switch = read_switch(_source(ctx))
    items = [parse_item(name) for name in names]
    _change(ctx, switch, switch.with_disabled(items), f"disabled: {', '.join(map(word_of, items))}")


@plugins_group.command("enable")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_context
def enable_command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Load the plugins NAMEd again: takes them out of 'disable_plugins'."""
    items = [parse_item(name) for name in names]
    switch = read_switch(_source(ctx))
    _change(ctx, switch, switch.with_enabled(items), f"enabled: {', '.join(map(word_of, items))}")


class _Configured:
    """What configuration says of plugins, as far as it can be read; what cannot is a problem, not the end."""

    def __init__(self, ctx: click.Context) -> None:
        self.problems: list[KernelError] = []
        self.plugins: tuple[str, ...] = ()
        self.disabled: list[str] = []
        try:
            settings = _settings(ctx)
            self.plugins = settings.plugins
            words = settings.disable_plugins
        except ImproperlyConfigured as error:
            self.problems.append(error)
            return
        for word in words:
            try:
                parse_item(word)
                self.disabled.append(word)
            except PluginError as error:
                self.problems.append(error)

    def missing(self) -> list[PluginError]:
        """An error for each plugin that configuration names and that is not installed."""
        errors: list[PluginError] = []
        for word in self.plugins:
            try:
                Selection(take_inventory(), self.disabled).add_names([word])
            except PluginError as error:
                errors += [error] if error.code == "E101" else []  # a duplicate is told of its entries
        return errors


def _settings(ctx: click.Context) -> Settings:
    settings = Settings()
    source = _source(ctx)
    if source is not None and source.endswith(".toml"):
        settings.use_file(source)
    elif source is not None:
        settings.config_from_object(source)
    return settings


def _source(ctx: click.Context) -> str | None:
    invocation = ctx.find_object(Invocation)
    return invocation.config_source if invocation is not None else None


def _change(ctx: click.Context, before: Switch, after: Switch, done: str) -> None:
    if after == before:
        click.echo(f"{before.path.name} says so already.")
    else:
        after.write()
        click.echo(f"{done} ({after.path.name})")
    try:
        origin = _settings(ctx).origin(SETTING)
    except ImproperlyConfigured as error:
        click.echo(f"warning: {error.one_line()}", err=True)
        return
    if origin.startswith("environment"):
        click.echo(f"warning: {origin} is set and stronger than {after.path.name}.", err=True)


def _tell(problems: Iterable[KernelError]) -> None:
    for problem in problems:
        if wants_traceback():
            traceback.print_exception(problem)
        click.echo(f"problem   {problem.one_line()}")
