"""``config``: what becomes of every setting of a Celery configuration, for whoever migrates one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from kernel.app.setting_table import SETTINGS
from kernel.cli.exits import Exit
from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, plain, print_json, print_table
from kernel.errors import ImproperlyConfigured
from kernel.model.masking import masked
from plugin_compat_celery.adapter.configuration.decisions import Decision, Verdict
from plugin_compat_celery.adapter.configuration.settings import CelerySettings

_COLORS = {
    Verdict.TAKEN: "green",
    Verdict.TRANSLATED: "cyan",
    Verdict.UNSUPPORTED: "red",
    Verdict.UNKNOWN: "yellow",
}
_LONGEST = 40


@click.command("config")
@click.argument("source", required=False, metavar="[MODULE]")
@click.option("--namespace", metavar="NAME", help="Settings are upper case behind NAME_, as in Django: CELERY.")
@output_option
@click.pass_context
def config_command(ctx: click.Context, source: str | None, namespace: str | None, output: str) -> None:
    """Show what becomes of each setting: taken, translated, or not supported and why.

    MODULE is a configuration such as celeryconfig, or module:attribute; without it, the one of the app of -A is shown.
    Passwords, keys and tokens are masked. The exit code is 78 when a setting that is given has no effect.
    """
    decisions = _settings(ctx.obj, source, namespace).translation().decisions
    if output == "json":
        print_json([_row(each) for each in decisions])
    else:
        _print(decisions)
    if any(each.verdict is Verdict.UNSUPPORTED for each in decisions):
        ctx.exit(Exit.CONFIG)


def _settings(invocation: object, source: str | None, namespace: str | None) -> CelerySettings:
    if source is not None:
        settings = CelerySettings()
        settings.config_from_object(source, namespace=namespace, force=True)
        return settings
    found = invocation.settings() if isinstance(invocation, Invocation) else None
    if not isinstance(found, CelerySettings):
        raise ImproperlyConfigured(
            "There is no configuration of Celery to show.", cure="Name a module, or an app of Celery with -A."
        )
    return found


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "name": decision.name,
        "given": decision.given,
        "value": plain(shown(decision)),
        "verdict": decision.verdict.value,
        "note": decision.note,
    }


def _print(decisions: Sequence[Decision]) -> None:
    if not decisions:
        click.echo("No setting is given; everything has its default.")
        return
    rows = [(each.given, _short(shown(each)), each.verdict.value, _noted(each)) for each in decisions]
    print_table(("setting", "value", "verdict", "note"), rows)
    counts = Counter(each.verdict for each in decisions)
    total = ", ".join(click.style(f"{counts[each]} {each}", fg=_COLORS[each]) for each in Verdict if counts[each])
    click.echo(f"\n{total}")


def _noted(decision: Decision) -> str:
    """The note, after the name of today where an older one was given."""
    today = f"Today {decision.name}. " if decision.name not in decision.given.lower() else ""
    return f"{today}{decision.note}".rstrip()


def shown(decision: Decision) -> object:
    """The value without secrets. An option of a mapping is judged by its own name and by that of the mapping."""
    setting, _, option = decision.name.partition(".")
    secret = setting in SETTINGS and SETTINGS[setting].secret
    return masked(decision.value, option or setting, secret=secret or "url" in setting or "backend" in setting)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
