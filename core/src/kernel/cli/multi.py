"""``kernel multi``: start, stop and restart several worker nodes on this machine (features.md 1.28, 2.14)."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, NoReturn

import click

from kernel.cli.exits import CommandError, Exit
from kernel.cli.invocation import Invocation
from kernel.cli.multi_plan import Grammar, NodePlan, plan_nodes
from kernel.cli.pidfile import living
from kernel.cli.places import default_places
from kernel.cli.worker import worker_command
from kernel.errors.near import did_you_mean

_LOOK_S: Final = 0.1
_DOT_S: Final = 1.0
_QUIET: Final = frozenset({"-q", "--quiet", "--nosplash"})

HELP: Final = """\
Usage: kernel multi COMMAND NODES [OPTIONS OF THE WORKERS]

  Start, stop and restart worker nodes on this machine. NODES are names, or a number: 3 is kernel1, kernel2 and kernel3.
  Options are those of kernel worker, -A and the other global ones among them; -c:1-3 10, -Q:4,5 data or -l:w2 DEBUG
  are for some nodes only, by place or name. The same nodes and files have to be named every time.

Commands:
  start      start nodes in the background, one after the other, each when the one before it runs
  stop       ask nodes to finish what runs and to end (SIGTERM; another signal as -QUIT or -9), and do not wait
  stopwait   the same, and wait for their end
  restart    the same, and start them again
  kill       end nodes at once (SIGKILL)
  show       print the commands that start would run
  names      print the names of the nodes
  get        print the arguments of one node: get NAME NODES ...
  expand     print a template for every node: expand '%n on %h' NODES ...
  help       print this

Options of its own:
  --pidfile=PATH       where a node keeps its pid; %n is its name, %h its host, %p both
  --logfile=PATH       where it logs; %I is the number of an executor with a log of its own
  -n, --hostname HOST  what follows the @ of names that have none
  --range-prefix=NAME  what numbered nodes are called
  -q, --quiet          print errors only

Examples:
  kernel multi start w1 w2 -A proj -l INFO -c 4
  kernel multi start 5 -A proj -Q:1-3 images,video -Q:4,5 data -c 4 -c:1 10
  kernel multi restart w1 w2 -A proj -l INFO -c 4
"""


@click.command(
    "multi",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def multi_command(ctx: click.Context, /, words: tuple[str, ...]) -> None:
    """Start, stop and restart several worker nodes on this machine."""
    invocation: Invocation = ctx.obj
    quiet = invocation.quiet or bool(_QUIET & set(words))
    command, *rest = [word for word in words if word not in _QUIET] or ["help"]
    if command in {"help", "-h", "--help"}:
        click.echo(HELP, nl=False)
    elif command in _TALKS:
        _talk(command, rest, _grammar(ctx), [*_before(invocation)])
    elif command in _ACTS:
        number, rest = _signal_in(rest)
        nodes = plan_nodes([*_before(invocation), *rest], _grammar(ctx))
        ctx.exit(Cluster(nodes, quiet=quiet).act(command, number))
    else:
        _unknown(command)


class Cluster:
    """Acts on nodes, and says so line by line.

    Args:
        nodes: in the order in which they are named.
        quiet: say nothing but errors.
    """

    def __init__(self, nodes: Sequence[NodePlan], *, quiet: bool = False) -> None:
        self._nodes = nodes
        self._quiet = quiet
        self._code = 0

    def act(self, command: str, number: signal.Signals) -> int:
        """Do one of the commands; the exit code: 0, or that of the last thing that went wrong."""
        self._say(f"kernel multi v{version('kernel')}")
        match command:
            case "start":
                self._say("> Starting nodes...")
                for node in self._nodes:
                    self._start(node, "    > ")
            case "kill":
                self._stop(signal.SIGKILL, "Killing")
            case _:
                stopping = self._stop(number, "Stopping")
                if command in {"stopwait", "restart"}:
                    self._wait(stopping)
        if command == "restart":
            for node in self._nodes:
                self._start(node, "> Restarting node ")
        return self._code

    def _start(self, node: NodePlan, lead: str) -> None:
        """Run its command, which returns when the node runs or could not."""
        self._say(f"{lead}{node.name}: ", end=False)
        done = subprocess.run(command_of(node), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
        if done.returncode == 0:
            self._say("OK")
            return
        self._code = done.returncode if done.returncode > 0 else Exit.INTERNAL
        self._say(f"ERROR (exit code {done.returncode})")
        for line in done.stderr.strip().splitlines():
            click.echo(f"{node.name}: {line}", err=True)

    def _stop(self, number: signal.Signals, doing: str) -> list[NodePlan]:
        """Signal the nodes that run; those that were."""
        self._say(f"> {doing} nodes...")
        signalled = []
        for node in self._nodes:
            pid = living(node.pidfile)
            if pid is None:
                self._say(f"    > {node.name}: DOWN")
            elif self._send(node, pid, number):
                signalled.append(node)
        return signalled

    def _send(self, node: NodePlan, pid: int, number: signal.Signals) -> bool:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            self._say(f"    > {node.name}: DOWN")
            return False
        except PermissionError:
            self._code = Exit.NO_PERMISSION
            click.echo(
                f"{node.name}: process {pid} belongs to another user. Stop it as that user, or as root.", err=True
            )
            return False
        self._say(f"    > {node.name}: {number.name.removeprefix('SIG')} -> {pid}")
        return True

    def _wait(self, nodes: Sequence[NodePlan]) -> None:
        """Until all of them have ended: a node finishes what runs, however long that takes."""
        left = list(nodes)
        count = 0
        while left:
            if count != len(left):
                count = len(left)
                self._say(f"> Waiting for {count} {'node' if count == 1 else 'nodes'}.", end=False)
            ended = self._look(left)
            left = [node for node in left if node not in ended]
            if ended:
                self._say("")
            for node in ended:
                self._say(f"    > {node.name}: OK")

    def _look(self, nodes: Sequence[NodePlan]) -> list[NodePlan]:
        """The first of them that end; a dot for every second until then."""
        dot_at = time.monotonic() + _DOT_S
        while True:
            ended = [node for node in nodes if living(node.pidfile) is None]
            if ended:
                return ended
            if time.monotonic() >= dot_at:
                dot_at += _DOT_S
                self._say(".", end=False)
            time.sleep(_LOOK_S)

    def _say(self, text: str, *, end: bool = True) -> None:
        if not self._quiet:
            click.echo(text, nl=end)


def command_of(node: NodePlan) -> list[str]:
    """The command line that starts a node in the background."""
    return [sys.executable, *_program(), *node.arguments]


def _program() -> list[str]:
    """The program as Python is to run it: a module, or the script that calls it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [sys.argv[0]] if spec is None else ["-m", spec.parent or spec.name]


def _talk(command: str, words: Sequence[str], grammar: Grammar, before: Sequence[str]) -> None:
    """The commands that only print."""
    wanted = ""
    if command in {"get", "expand"}:
        if not words:
            raise CommandError(Exit.USAGE, f"kernel multi {command} needs more.", cure="See kernel multi help.")
        wanted, *words = words
    nodes = plan_nodes([*before, *words], grammar)
    match command:
        case "names":
            lines = [node.name for node in nodes]
        case "show":
            lines = [shlex.join(command_of(node)) for node in nodes]
        case "expand":
            lines = [node.expand(wanted) for node in nodes]
        case _:
            lines = [shlex.join(node.arguments) for node in nodes if wanted in {node.name, node.name.partition("@")[0]}]
            if not lines:
                names = [node.name for node in nodes]
                raise CommandError(
                    Exit.NO_INPUT, f"{wanted!r} is none of the nodes.", cure=did_you_mean(wanted, names) or "Name it."
                )
    click.echo("\n".join(lines))


def _signal_in(words: Sequence[str]) -> tuple[signal.Signals, list[str]]:
    """A signal among the words, as ``-9``, ``-QUIT`` or ``-SIGQUIT``, and the words without it; SIGTERM else."""
    known: Mapping[str, signal.Signals] = {
        spelling: each
        for each in signal.Signals
        for spelling in (f"-{each.value}", f"-{each.name}", f"-{each.name[3:]}")
    }
    found = [known[word] for word in words if word in known]
    return (found[-1] if found else signal.SIGTERM), [word for word in words if word not in known]


def _grammar(ctx: click.Context) -> Grammar:
    first = {name: _takes_value(each) for each in ctx.find_root().command.params for name in each.opts}
    workers = {name: _takes_value(each) for each in worker_command.params for name in each.opts}
    invocation: Invocation = ctx.obj
    return Grammar(
        options={**first, **workers},
        before=frozenset(first.keys() - workers.keys()),
        host=os.uname().nodename,
        namespace=_namespace(invocation),
        places=default_places(os.environ, os.geteuid()),
        folder=Path.cwd(),
    )


def _namespace(invocation: Invocation) -> str:
    """What nodes without a name are called; no application is imported for it."""
    return os.environ.get("KERNEL_NAMESPACE") or str(invocation.settings_given.get("namespace", "kernel"))


def _before(invocation: Invocation) -> list[str]:
    """The global options that stood before ``multi``, for the workers."""
    given = invocation.settings_given
    pairs = [
        ("--app", invocation.app_path),
        ("--broker", given.get("broker_url")),
        ("--result-backend", given.get("result_backend")),
        ("--config", invocation.config_source),
    ]
    return [f"{name}={value}" for name, value in pairs if value]


def _takes_value(param: click.Parameter) -> bool:
    return not (isinstance(param, click.Option) and (param.is_flag or param.count))


def _unknown(command: str) -> NoReturn:
    known = [*_ACTS, *_TALKS, "help"]
    raise CommandError(
        Exit.USAGE,
        f"kernel multi has no command {command!r}.",
        cure=did_you_mean(command, known) or f"Use one of {', '.join(known)}.",
    )


_ACTS: Final = ("start", "stop", "stopwait", "restart", "kill")
_TALKS: Final = ("show", "names", "get", "expand")
