"""Programs that stay: in the background, with a pid file and a log file, as another user (features.md 2.4).

For ``kernel worker``, ``kernel beat`` and ``kernel events``, in this order::

    daemon = Daemon.of(invocation, options)
    if daemon.leaves:
        ctx.exit(daemon.send_off())
    daemon.begin()
    ...                                   # find the app; errors are told to whoever waits
    with daemon.running(name):            # set up the log with daemon.log_path(name) before
        ...
        daemon.restart()                  # if it is to begin anew
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from kernel.app.node_name import node_path
from kernel.cli import detach as background
from kernel.cli.invocation import Invocation
from kernel.cli.nodes import Place, take_place
from kernel.cli.pidfile import PidFile
from kernel.cli.places import default_places, make_folder
from kernel.cli.privileges import become, owner_ids
from kernel.runtime.logs import log_file

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("-D", "--detach", is_flag=True, help="Run in the background, and return when it runs."),
    click.option("-f", "--logfile", metavar="PATH", help="Log here; %n is the node's name, %I the executor's number."),
    click.option("--pidfile", metavar="PATH", help="Keep the process's number here, and do not start twice."),
    click.option("--uid", metavar="USER", help="Run as this user."),
    click.option("--gid", metavar="GROUP", help="Run as this group."),
    click.option("--umask", metavar="OCTAL", help="Permissions that new files do not get, such as 027."),
    click.option("--executable", metavar="PATH", help="The Python that runs in the background."),
)


def daemon_options(command: F) -> F:
    """``--detach``, ``--logfile``, ``--pidfile``, ``--uid``, ``--gid``, ``--umask`` and ``--executable``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(slots=True)
class Daemon:
    """What those options say, and what is done about it.

    Attributes:
        folder: where the program was started.
        place: which of several nodes this process is; None when it is the only one.
        again: whether this is a new beginning of the same process, see :meth:`restart`.
    """

    folder: Path
    detach: bool
    logfile: str | None
    pidfile: str | None
    uid: str | None
    gid: str | None
    umask: str | None
    executable: str | None
    place: Place | None = field(default_factory=take_place)
    again: bool = field(default_factory=background.take_again)
    _marker: str | None = field(default_factory=background.take_marker)
    _held: PidFile | None = None

    @classmethod
    def of(cls, invocation: Invocation, options: Mapping[str, Any]) -> "Daemon":
        """From the options of a command, which may have more."""
        names = ("detach", "logfile", "pidfile", "uid", "gid", "umask", "executable")
        return cls(invocation.started_in, **{name: options[name] for name in names})

    @property
    def detached(self) -> bool:
        """Whether this is the process in the background."""
        return self._marker is not None

    @property
    def leaves(self) -> bool:
        """Whether the command is to go on in the background, and this process only to see it off."""
        return self.detach and not self.detached

    @property
    def restarts(self) -> bool:
        """Whether SIGHUP asks for a new beginning: with no terminal it is not the terminal's end."""
        return not background.has_terminal()

    def send_off(self, *, quiet: bool = False) -> int:
        """See the process in the background off; the exit code. Its errors are shown as they are."""
        sent = background.send_off(self.folder, self.executable)
        if sent.code:
            click.echo(sent.words, err=True)
        elif not quiet:
            click.echo("{name} runs in the background: process {pid}, log {log}".format(**sent.facts))
        return sent.code

    def begin(self) -> None:
        """Take on user, group and umask; in the background, files have default places and their folders are made.

        Raises:
            CommandError: when that is not allowed.
        """
        if self.detach:
            places = default_places(os.environ, os.geteuid())
            self.logfile = self.logfile or places.logfile
            self.pidfile = self.pidfile or places.pidfile
            for path in (self.logfile, self.pidfile):
                make_folder(path, owner_ids(self.uid, self.gid))
        become(self.uid, self.gid, self.umask)
        if self.place is not None:
            self.pidfile = None  # it is the supervisor's

    def log_path(self, name: str) -> str | None:
        """Where to log, with the executor's number still open; None is the error stream."""
        return None if self.logfile is None else str(Path(node_path(self.logfile, name)).absolute())

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Hold the pid file, and tell whoever waits that this process runs.

        Raises:
            CommandError: when one of that name runs already.
        """
        self._held = PidFile(Path(node_path(self.pidfile, name)).absolute()) if self.pidfile else None
        with self._held or nullcontext():
            if self._marker is not None:
                log = self.log_path(name)
                main = None if log is None else log_file(log)
                background.redirect(main)
                background.tell(self._marker, {"name": name, "pid": os.getpid(), "log": main})
            yield

    def restart(self) -> None:
        """Inside :meth:`running`: begin anew in this process, with the same pid and pid file; does not return."""
        if self._held is not None:
            self._held.hand_over()
        os.environ[background.AGAIN] = "1"
        if self.detached:
            os.environ[background.DETACHED] = "-"
        sys.stdout.flush()
        sys.stderr.flush()
        os.chdir(self.folder)
        words = background.command()
        os.execv(words[0], words)  # noqa: S606 - this program again
