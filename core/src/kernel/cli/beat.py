"""``kernel beat``: send tasks when their schedules say so (features.md 2.3, 2.14)."""

import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

import click

from kernel.app.beat.service import Service
from kernel.cli.banner import LABEL, MOST, app_name, row, shown_url
from kernel.cli.daemon import Daemon, daemon_options
from kernel.cli.invocation import Invocation
from kernel.model.interval import in_words
from kernel.runtime.logs import LogSettings, Redirection, level_number, set_up
from kernel.runtime.stop_signals import StopSignals

_SETTINGS: Final = {
    "schedule": "beat_schedule_filename",
    "scheduler": "beat_scheduler",
    "max_interval": "beat_max_loop_interval",
    "remote_control": "beat_enable_remote_control",
}
"""Options of this command that set a setting."""
_NAME: Final = "beat"
"""What ``%n`` stands for in the names of its files."""


@click.command("beat")
@click.option("-s", "--schedule", metavar="PATH", help="File with the times of last runs; <namespace>beat-schedule.")
@click.option("-S", "--scheduler", metavar="CLASS", help="Scheduler class: module:Class.")
@click.option("--max-interval", type=float, metavar="SECONDS", help="Sleep no longer than this between two looks.")
@click.option(
    "--enable-remote-control/--no-enable-remote-control",
    "remote_control",
    default=None,
    help="Answer 'kernel inspect ping', so that a probe can see whether beat is alive.",
)
@click.option("-n", "--hostname", metavar="NAME", help="What it answers as; <namespace>beat@%h.")
@click.option("-l", "--loglevel", metavar="LEVEL", default="INFO", show_default=True, help="Lowest level logged.")
@daemon_options
@click.option("--config", "config_source", metavar="SOURCE", help="A TOML file such as kernel.toml, or a module.")
@click.pass_context
def beat_command(ctx: click.Context, /, **options: Any) -> None:
    """Start beat: send periodic tasks until SIGTERM. Run one for each schedule file; a second one is refused.

    SIGTERM or Ctrl-C ends it when what it is sending is sent, and written down; a second one ends it at once.
    """
    invocation: Invocation = ctx.obj
    daemon = Daemon.of(invocation, options)
    if daemon.leaves:
        ctx.exit(daemon.send_off(quiet=invocation.quiet))
    daemon.begin()
    _run(invocation, options, daemon)


def _run(invocation: Invocation, options: Mapping[str, Any], daemon: Daemon) -> None:
    given = {setting: options[name] for name, setting in _SETTINGS.items() if options[name] is not None}
    invocation.settings_given.update(given)
    invocation.config_source = options["config_source"] or invocation.config_source
    level = level_number(options["loglevel"], "--loglevel")
    with invocation.opened() as app:
        service = Service(app, hostname=options["hostname"])
        set_up(LogSettings(app.config, level, daemon.log_path(_NAME), invocation.color))
        with StopSignals(service.stop):
            service.prepare()
            app.client.services.reads_results = False  # or results by rpc:// would pile up in a queue nobody reads
            with daemon.running(_NAME):
                if not invocation.quiet:
                    click.echo(_banner(service, color=invocation.color is not False and sys.stdout.isatty()))
                with Redirection(app.config):
                    service.start()


def _banner(service: Service, *, color: bool) -> str:
    head = f"kernel beat {version('kernel')}"
    where = f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    lines = [f"{click.style(head, bold=True) if color else head}  ({where})", ""]
    lines += [row(label, value, color=color) for label, value in _facts(service)]
    return "\n".join([*lines, *_entries(service), ""])


def _facts(service: Service) -> Iterator[tuple[str, str]]:
    app, scheduler = service.app, service.scheduler
    yield "app", app_name(app)
    yield "broker", shown_url(app.client.services.broker_url)
    yield "time zone", str(app.timezone)
    kind = type(scheduler)
    yield "scheduler", f"{kind.__module__}:{kind.__qualname__}"
    if scheduler.info:
        yield "schedule", str(scheduler.info).strip()
    yield "max interval", in_words(scheduler.max_interval)
    if service.remote_control:
        yield "answers as", service.hostname
    yield "entries", str(len(scheduler.schedule))


def _entries(service: Service) -> Iterator[str]:
    entries = sorted(service.scheduler.schedule.values(), key=lambda entry: str(entry.name))
    for entry in entries[:MOST]:
        yield f"{'':{LABEL}}  {entry.name}: {entry.task} {entry.schedule!r}"
    if len(entries) > MOST:
        yield f"{'':{LABEL}}  … and {len(entries) - MOST} more"
