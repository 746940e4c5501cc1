"""``kernel worker``: start a worker node (features.md 1.28, 2.4)."""

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from kernel.app.node_name import node_name
from kernel.app.worker import Worker
from kernel.cli import detach as background
from kernel.cli.banner import banner
from kernel.cli.daemon import Daemon, daemon_options
from kernel.cli.invocation import Invocation
from kernel.cli.nodes import Supervisor
from kernel.engine.autoscale import Bounds
from kernel.runtime.logs import LogSettings, Redirection, level_number, set_up

_SETTINGS: Final = {
    "concurrency": "worker_concurrency",
    "pool": "worker_pool",
    "task_events": "worker_send_task_events",
    "plugins": "plugins",
    "include": "include",
    "time_limit": "task_time_limit",
    "soft_time_limit": "task_soft_time_limit",
    "max_tasks_per_child": "worker_max_tasks_per_child",
    "max_memory_per_child": "worker_max_memory_per_child",
    "pool_start_method": "worker_pool_start_method",
    "state_db": "worker_state_db",
    "schedule": "beat_schedule_filename",
    "scheduler": "beat_scheduler",
}
"""Options of this command that set a setting."""

_TRUE_ROOT = ("KERNEL_FORCE_ROOT", "C_FORCE_ROOT")


def _names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Names separated by commas, in order."""
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise click.BadParameter(f"{value!r} names nothing")
    return names


def _count(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | str | None:
    """A number of executors, or ``auto``."""
    if value is None or value == "auto":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 nor 'auto'")
    return int(value)


def _bounds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Bounds | None:
    """Two numbers, in either order; one alone is the most, and the fewest is 1."""
    if value is None:
        return None
    try:
        most, least = (value if "," in value else f"{value},1").split(",")
        return Bounds.of(int(most), int(least))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not of the form MAX,MIN with numbers from 1") from error


@click.command("worker")
@click.option(
    "-Q", "--queues", callback=_names, metavar="NAMES", help="Queues to consume; all configured ones without."
)
@click.option("-X", "--exclude-queues", callback=_names, metavar="NAMES", help="Queues not to consume.")
@click.option("-c", "--concurrency", callback=_count, metavar="N|auto", help="Tasks at a time; auto: usable CPUs.")
@click.option("--nodes", type=click.IntRange(1), metavar="N", help="Look after N nodes, each in a process of its own.")
@click.option("--autoscale", callback=_bounds, metavar="MAX,MIN", help="As many executors as there is work for.")
@click.option("-P", "--pool", metavar="POOL", help="prefork, threads, solo or async.")
@click.option("-n", "--hostname", metavar="NAME", help="Name of the node: w1, or w1@%h (host), %n, %d (domain).")
@click.option("--pool-start-method", metavar="METHOD", help="How executors are made: fork or spawn.")
@click.option("-E", "--task-events", "--events", is_flag=True, default=None, help="Send task events, for monitors.")
@click.option("-B", "--beat", is_flag=True, help="Run beat in this node as well; in one node only.")
@click.option("-s", "--schedule-filename", "schedule", metavar="PATH", help="File of that beat, with last runs.")
@click.option("--scheduler", metavar="CLASS", help="Scheduler class of that beat: module:Class.")
@click.option("-l", "--loglevel", metavar="LEVEL", default="INFO", show_default=True, help="Lowest level logged.")
@click.option("-I", "--include", callback=_names, metavar="MODULES", help="Import these modules for their tasks.")
@click.option("--plugins", callback=_names, metavar="NAMES", help="Plugins to load, such as serializer.yaml.")
@click.option("--config", "config_source", metavar="SOURCE", help="A TOML file such as kernel.toml, or a module.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="End a task's executor after this.")
@click.option("--soft-time-limit", type=float, metavar="SECONDS", help="Raise SoftTimeLimitExceeded in it after this.")
@click.option("--max-tasks-per-child", type=int, metavar="N", help="Replace an executor after so many tasks.")
@click.option("--max-memory-per-child", type=int, metavar="KIB", help="Replace an executor above this size.")
@click.option("--without-heartbeat", is_flag=True, help="Send no worker events.")
@click.option(
    "--heartbeat-interval",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="Time between two worker events; 2 without.",
)
@click.option("--without-mingle", is_flag=True, help="Ask no other workers at the start which tasks were revoked.")
@click.option("--without-gossip", is_flag=True, help="Taken from Celery's command lines: these workers never gossip.")
@click.option(
    "-S",
    "--statedb",
    "state_db",
    metavar="PATH",
    help="Keep the ids of revoked tasks in this file; %n is the node's name.",
)
@daemon_options
@click.option("--purge", "--discard", is_flag=True, help="First delete what waits in the queues. There is no way back.")
@click.pass_context
def worker_command(ctx: click.Context, /, **options: Any) -> None:
    """Start a worker node: take tasks from queues and run them until SIGTERM.

    The first SIGTERM or Ctrl-C finishes what runs; the second Ctrl-C, or SIGQUIT, ends it; the third leaves at once.
    Without a terminal, SIGHUP finishes what runs and begins anew.
    """
    invocation: Invocation = ctx.obj
    daemon = Daemon.of(invocation, options)
    if daemon.leaves:
        ctx.exit(daemon.send_off(quiet=invocation.quiet))
    daemon.begin()
    ctx.exit(_run(invocation, options, daemon))


def _run(invocation: Invocation, options: dict[str, Any], daemon: Daemon) -> int:
    _take_settings(invocation, options)
    if options["autoscale"] is not None and options["concurrency"] is not None:
        raise click.UsageError("--autoscale and -c exclude each other")
    if options["nodes"] is not None and options["purge"]:
        raise click.UsageError("--nodes and --purge exclude each other: every node would purge what others wait for")
    level = level_number(options["loglevel"], "--loglevel")
    worker = _make(invocation, options, daemon, level)
    name = worker.hostname
    set_up(LogSettings(worker.config, level, daemon.log_path(name), invocation.color))
    if options["nodes"] is not None and daemon.place is None:
        with daemon.running(name):
            command, again = background.command(), daemon.restarts
            nodes = Supervisor(options["nodes"], command, daemon.folder, detached=daemon.detached, restarts=again)
            return nodes.run()
    with daemon.running(name):
        if not invocation.quiet:
            click.echo(banner(worker, color=invocation.color is not False and sys.stdout.isatty()))
        with Redirection(worker.config):
            if options["purge"] and not daemon.again:  # what waits now came after the purge that was asked for
                worker.purge()
            code = worker.start()
        if worker.node is not None and worker.node.shutdown.restart:
            if daemon.place is not None:
                daemon.place.keep()
            daemon.restart()
    return code


def _make(invocation: Invocation, options: Mapping[str, Any], daemon: Daemon, level: int) -> Worker:
    app = invocation.app()
    name = node_name(options["hostname"], app.config.namespace, os.uname().nodename)
    place = daemon.place
    if place is not None:
        name = place.name(name)
        place.end_with_supervisor()
    return Worker(
        app,
        queues=options["queues"],
        exclude_queues=options["exclude_queues"],
        hostname=name,
        beat=options["beat"] and (place is None or place.number == 1),
        loglevel=level,
        heartbeat=not options["without_heartbeat"],
        heartbeat_interval=options["heartbeat_interval"],
        autoscale=options["autoscale"],
        mingle=not options["without_mingle"],
        remap_term=os.environ.get("REMAP_SIGTERM") == "SIGQUIT",
        force_root=any(os.environ.get(each, "") not in {"", "0"} for each in _TRUE_ROOT),
        log_path=daemon.log_path(name),
        log_color=invocation.color,
        restart_on_hangup=daemon.restarts,
    )


def _take_settings(invocation: Invocation, options: dict[str, Any]) -> None:
    given = {setting: options[name] for name, setting in _SETTINGS.items() if options[name] is not None}
    invocation.settings_given.update(given)
    invocation.config_source = options["config_source"] or invocation.config_source
