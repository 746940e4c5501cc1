"""``celery.utils.nodenames``: ``name@host``."""

import os
import socket
from collections.abc import Sequence
from functools import lru_cache

from kernel.app.node_name import node_name
from plugin_compat_celery.adapter.absent import missing

NODENAME_SEP = "@"
NODENAME_DEFAULT = "celery"


@lru_cache
def gethostname() -> str:
    """The name of this machine, asked for once."""
    return socket.gethostname()


def nodename(name: str, hostname: str) -> str:
    """``name@hostname``."""
    return f"{name}@{hostname}"


def nodesplit(name: str) -> Sequence[str | None]:
    """Name and host of a node; the name is None in a text without ``@``."""
    first, separator, host = name.partition(NODENAME_SEP)
    return [first, host] if separator else (None, name)


def anon_nodename(hostname: str | None = None, prefix: str = "gen") -> str:
    """A name for a process that is no worker."""
    return nodename(f"{prefix}{os.getpid()}", hostname or gethostname())


def default_nodename(hostname: str | None, default_name: str = NODENAME_DEFAULT) -> str:
    """The full name of a worker that was given part of one, or none."""
    name, host = nodesplit(hostname or "")
    return nodename(name or default_name, host or gethostname())


def node_format(s: str, name: str) -> str:
    """A text with the parts of a node's name in place of ``%n``, ``%h`` and ``%d``."""
    first, host = nodesplit(name)
    return host_format(s, host, first)


def host_format(s: str, host: str | None = None, name: str | None = None) -> str:
    """A text with a name in place of ``%n``, a host for ``%h``, and its domain for ``%d``."""
    host = host or gethostname()
    short, _, domain = host.partition(".")
    known = {"%n": name or short, "%h": host, "%d": domain, "%%": "%"}
    for place, value in known.items():
        s = s.replace(place, value)
    return s


__getattr__ = missing(__name__)

__all__ = [
    "anon_nodename",
    "default_nodename",
    "gethostname",
    "host_format",
    "node_format",
    "node_name",
    "nodename",
    "nodesplit",
]
