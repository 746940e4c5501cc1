"""Where the files of nodes in the background are, unless somebody says: the same whoever asks, for one user."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Places(NamedTuple):
    """Templates of paths, see :func:`kernel.app.node_name.node_path`."""

    pidfile: str
    logfile: str


def default_places(environment: Mapping[str, str], user: int) -> Places:
    """For root the system's folders, for everybody else their own: who cannot write ``/var/run`` has no use for it.

    Args:
        environment: ``XDG_STATE_HOME`` moves the user's folder, ``~/.local/state``.
        user: number of the user that the node runs as.
    """
    if user == 0:
        return Places("/var/run/kernel/%n.pid", "/var/log/kernel/%n%I.log")
    home = Path(environment.get("HOME") or "~").expanduser()
    state = environment.get("XDG_STATE_HOME") or home / ".local" / "state"
    folder = Path(state) / "kernel"
    return Places(str(folder / "%n.pid"), str(folder / "%n%I.log"))


def make_folder(path: str, owner: tuple[int, int] | None = None) -> None:
    """Make the folder of a file, if it is known yet; one that cannot be made shows when the file is opened.

    Args:
        path: a template; a folder with ``%`` in its name is not known.
        owner: user and group that a new folder is given to.
    """
    folder = Path(path).parent
    if "%" in str(folder) or folder.is_dir():
        return
    with suppress(OSError):
        folder.mkdir(parents=True)
        if owner is not None:
            os.chown(folder, *owner)
