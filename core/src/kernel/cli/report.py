"""``kernel report``: what somebody who is to help needs to know, secrets masked."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

import click

from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, print_json
from kernel.runtime.plugins import discover

LIBRARIES = ("pluggy", "stevedore", "click")


@click.command("report")
@output_option
@click.pass_obj
def report_command(invocation: Invocation, output: str) -> None:
    """Print versions, platform, installed plugins and the settings that are not defaults."""
    settings = invocation.settings()
    facts: dict[str, Mapping[str, object]] = {
        "software": {
            "kernel": version("kernel"),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": platform.platform(),
            **{library: version(library) for library in LIBRARIES},
        },
        "plugins": {entry.name: f"{entry.dist} {entry.version}" for entry in discover()},
        "settings": settings.table(),
    }
    if output == "json":
        print_json(facts)
        return
    for title, values in facts.items():
        click.echo(click.style(title, bold=True))
        for name, value in values.items():
            click.echo(f"  {name}: {value if title != 'settings' else repr(value)}")
        if not values:
            click.echo("  (all defaults)" if title == "settings" else "  (none)")
