"""``kernel config``: the effective settings with their origins, and the schema of ``kernel.toml``."""

import json
import math
from collections.abc import Mapping
from typing import Any

import click

from kernel.app.config_schema import json_schema
from kernel.app.settings import Settings
from kernel.cli.invocation import Invocation


@click.group("config")
def config_group() -> None:
    """Show the settings and where each came from."""


@config_group.command("show")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--origin", "with_origin", is_flag=True, help="Also where each value came from.")
@click.option("--all", "everything", is_flag=True, help="Also what is left at its default.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def show_command(conf: object, names: tuple[str, ...], with_origin: bool, everything: bool, output: str) -> None:
    """Print the effective settings; passwords, keys and tokens are masked.

    With NAMEs only those are shown, set or not.
    """
    rows = _rows(_settings(conf), names, everything)
    if output == "json":
        values = {name: {"value": value, "origin": origin} if with_origin else value for name, value, origin in rows}
        click.echo(json.dumps(values, indent=2))
    elif rows:
        width = max(len(name) for name, _, _ in rows)
        for name, value, origin in rows:
            click.echo(f"{name:{width}}  {value!r}" + (f"  ({origin})" if with_origin else ""))
    else:
        click.echo("Every setting has its default; --all shows them.", err=True)


@config_group.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of kernel.toml, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))


def _settings(conf: object) -> Settings:
    if isinstance(conf, Settings):
        return conf
    return conf.settings() if isinstance(conf, Invocation) else Settings()


def _rows(settings: Settings, names: tuple[str, ...], everything: bool) -> list[tuple[str, Any, str]]:
    origins = {name: settings.origin(name) for name in names or settings}
    table = settings.table(with_defaults=everything or bool(names))
    return [(name, _plain(table[name]), origin) for name, origin in origins.items() if name in table]


def _plain(value: object) -> object:
    """The value with nothing in it that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
