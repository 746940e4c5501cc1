"""Names of worker nodes: ``name@host`` (features.md 2.4)."""

import re

from kernel.errors import ImproperlyConfigured

_FORM = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")


def node_name(given: str | None, namespace: str, host: str) -> str:
    """The full name of a node.

    Args:
        given: what ``-n`` says: a name, ``name@host``, or either with ``%h`` (host), ``%n`` (its first part) and
            ``%d`` (the rest, its domain); None is the namespace.
        namespace: the setting.
        host: the host's name.

    Raises:
        ImproperlyConfigured: when what comes out is no ``name@host``.
    """
    first, _, domain = host.partition(".")
    known = {"%h": host, "%n": first, "%d": domain, "%%": "%"}
    text = given or namespace
    if "@" not in text:
        text = f"{text}@%h"
    name = re.sub(r"%[hnd%]", lambda found: known[found[0]], text)
    if not _FORM.fullmatch(name):
        raise ImproperlyConfigured(
            f"{given!r} gives the node name {name!r}, which is not of the form name@host.",
            cure="Use such as -n w1 or -n w1@%h, without spaces.",
        )
    return name


def node_path(template: str, node: str) -> str:
    """The path of a node's file.

    Args:
        template: a path with ``%n`` (the node's name), ``%h`` (its host), ``%d`` (the host's domain) and ``%p`` (the
            whole name). ``%i`` and ``%I``, numbers of executors, are left for :mod:`kernel.runtime.logs`.
        node: as :func:`node_name` gives it.
    """
    name, _, host = node.partition("@")
    known = {"%n": name, "%h": host, "%d": host.partition(".")[2], "%p": node, "%%": "%"}
    return re.sub(r"%[nhdp%]", lambda found: known[found[0]], template)
