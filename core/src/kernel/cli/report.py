"""``kernel report``: what somebody who is to help needs to know, secrets masked."""

import click

from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, print_json
from kernel.runtime.report import report_facts, report_text


@click.command("report")
@output_option
@click.pass_obj
def report_command(invocation: Invocation, output: str) -> None:
    """Print versions, platform, installed plugins and the settings that are not defaults."""
    facts = report_facts(invocation.settings().table())
    if output == "json":
        print_json(facts)
        return
    for line in report_text(facts).splitlines():
        click.echo(line if line.startswith(" ") else click.style(line, bold=True))
