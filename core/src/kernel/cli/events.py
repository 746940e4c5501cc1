"""``kernel events``: watch what workers and tasks do (features.md 2.6)."""

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, Final

import click

from kernel.app.events import EventReceiver
from kernel.app.kernel import Kernel
from kernel.app.snapshot import Polaroid
from kernel.cli.daemon import Daemon, daemon_options
from kernel.cli.event_lines import event_line
from kernel.cli.exits import CommandError, Exit
from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, plain
from kernel.runtime.logs import LogSettings, level_number, set_up

_NAME: Final = "events"
"""What ``%n`` stands for in the names of its files."""


@click.command("events")
@click.option("-d", "--dump", is_flag=True, help="Print every event as a line.")
@output_option
@click.option("-c", "--camera", metavar="MODULE:CLASS", help="Take snapshots with this subclass of Polaroid.")
@click.option("-F", "--frequency", "--freq", type=float, metavar="SECONDS", default=1.0, show_default=True,
              help="Time between two snapshots.")  # fmt: skip
@click.option("-r", "--maxrate", metavar="RATE", help="Most snapshots per time, such as 10/m.")
@click.option("-l", "--loglevel", metavar="LEVEL", default="INFO", show_default=True, help="Lowest level logged.")
@daemon_options
@click.pass_context
def events_command(ctx: click.Context, /, **options: Any) -> None:
    """Watch workers and tasks, until Ctrl-C or SIGTERM. Workers tell of their tasks when started with -E.

    With --dump every event is a line, with --output json a line of JSON; with --camera a class of yours looks at the
    state again and again. With neither, a terminal shows a table.
    """
    invocation: Invocation = ctx.obj
    _check(options)
    daemon = Daemon.of(invocation, options)
    if daemon.leaves:
        ctx.exit(daemon.send_off(quiet=invocation.quiet))
    daemon.begin()
    level = level_number(options["loglevel"], "--loglevel")
    with invocation.opened() as app:
        set_up(LogSettings(app.config, level, daemon.log_path(_NAME), invocation.color))
        with daemon.running(_NAME):
            _watch(app, options)


def _check(options: Mapping[str, Any]) -> None:
    if options["dump"] and options["camera"]:
        raise CommandError(Exit.USAGE, "--dump and --camera exclude each other.", cure="Start the command twice.")
    if options["output"] == "json" and not options["dump"]:
        raise CommandError(Exit.USAGE, "--output json is for --dump.", cure="Add --dump.")
    if options["detach"] and not options["camera"]:
        raise CommandError(Exit.USAGE, "Only --camera can watch in the background.", cure="Leave out --detach.")


def _watch(app: Kernel, options: Mapping[str, Any]) -> None:
    if options["dump"]:
        _capture(app.events.Receiver(handlers={"*": partial(_print, as_json=options["output"] == "json")}))
    elif options["camera"]:
        _photograph(app, options["camera"], options["frequency"], options["maxrate"])
    else:
        _show(app)


def _print(event: dict[str, Any], *, as_json: bool) -> None:
    text = json.dumps(plain(event), ensure_ascii=False) if as_json else event_line(event)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _photograph(app: Kernel, camera: str, frequency: float, maxrate: str | None) -> None:
    state = app.events.State()
    with _camera(camera)(state, freq=frequency, maxrate=maxrate, app=app):
        _capture(app.events.Receiver(handlers={"*": state.event}))


def _show(app: Kernel) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError(
            Exit.USAGE, "There is no terminal to show a table on.", cure="Use --dump for lines, or --camera."
        )
    screen = import_module("kernel.cli.events_screen")  # not every Python has curses
    screen.show(app)


def _capture(receiver: EventReceiver) -> None:
    """Until a signal says to stop, which is how this command ends in order."""
    with _stopping(receiver):
        receiver.capture()


@contextmanager
def _stopping(receiver: EventReceiver) -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        receiver.should_stop = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _camera(path: str) -> type[Polaroid]:
    """The class that ``module:Class`` or ``module.Class`` names.

    Raises:
        CommandError: when there is none.
    """
    module_name, separator, name = path.partition(":")
    if not separator:
        module_name, _, name = path.rpartition(".")
    cure = "Write it as module:Class."
    if not module_name or not name:
        raise CommandError(Exit.USAGE, f"--camera {path!r} names no class in a module.", cure=cure)
    try:
        found = getattr(import_module(module_name), name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise CommandError(Exit.CONFIG, f"--camera {path!r}: there is no module {error.name!r}.", cure=cure) from error
    except AttributeError as error:
        raise CommandError(Exit.CONFIG, f"--camera {path!r}: {module_name} has no {name!r}.", cure=cure) from error
    if not isinstance(found, type) or not issubclass(found, Polaroid):
        raise CommandError(
            Exit.CONFIG, f"--camera {path!r} is no camera.", cure="Derive it from kernel.events.snapshot.Polaroid."
        )
    return found
