"""What ``kernel multi`` is asked for: nodes and the options of each, from words alone (features.md 1.28, 2.14)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from kernel.app.node_name import node_name, node_path
from kernel.cli.exits import CommandError, Exit
from kernel.cli.places import Places
from kernel.errors.near import did_you_mean

_RANGE: Final = re.compile(r"(\d+)-(\d+)")
_OWN: Final = frozenset({"-n", "--hostname", "--range-prefix"})
"""Options that say how nodes are called; the rest is for their workers."""
_FILES: Final = {"--pidfile": "--pidfile", "--logfile": "--logfile", "-f": "--logfile"}
_IMPLIED: Final = frozenset({"-D", "--detach"})


class Given(NamedTuple):
    """One option as it was written: for which nodes (empty is all), and its value, None for a flag."""

    name: str
    value: str | None = None
    nodes: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """For a command line."""
        if self.value is None:
            return (self.name,)
        return (f"{self.name}={self.value}",) if self.name.startswith("--") else (self.name, self.value)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a plan has to know beside the words.

    Attributes:
        options: of workers, by every spelling: whether it takes a value.
        before: those that stand before the command, such as ``-A``.
        host: name of this machine.
        namespace: what numbered nodes are called, and nodes without a name.
        places: of files nobody named.
        folder: what paths are relative to.
    """

    options: Mapping[str, bool]
    before: frozenset[str]
    host: str
    namespace: str
    places: Places
    folder: Path


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node.

    Attributes:
        name: in full, such as ``w1@host``.
        arguments: of ``kernel`` that start it in the background.
        pidfile: held by it while it runs.
    """

    name: str
    arguments: tuple[str, ...]
    pidfile: Path

    def expand(self, template: str) -> str:
        """A template with this node's names in it."""
        return node_path(template, self.name)


def plan_nodes(words: Sequence[str], grammar: Grammar) -> list[NodePlan]:
    """The nodes that these words name: a number, or names, and options between them.

    Raises:
        CommandError: for an unknown option, one without its value, no node, two of one name, or options for a node
            that is not among them.
    """
    names, given, rest = _parse(words, grammar)
    own = {_canonical(each.name): each.value or "" for each in given if each.name in _OWN}
    nodes = _node_names(names, own, grammar)
    ordered = sorted(given, key=lambda each: bool(each.nodes))  # the last one counts: what is said of some nodes only
    selected = [(_selected(each, nodes), each) for each in ordered if each.name not in _OWN | _IMPLIED]
    return [_node(name, [each for chosen, each in selected if name in chosen], rest, grammar) for name in nodes]


def _node(name: str, options: Sequence[Given], rest: Sequence[str], grammar: Grammar) -> NodePlan:
    files = {"--pidfile": grammar.places.pidfile, "--logfile": grammar.places.logfile}
    files |= {_FILES[each.name]: each.value or "" for each in options if each.name in _FILES}
    workdir = next((each.value or "" for each in reversed(options) if each.name == "--workdir"), "")
    paths = {key: grammar.folder / workdir / node_path(template, name) for key, template in files.items()}
    before = [word for each in options if each.name in grammar.before for word in each.words]
    after = [word for each in options if each.name not in grammar.before | _FILES.keys() for word in each.words]
    placed = [f"{key}={path}" for key, path in paths.items()]
    return NodePlan(
        name, (*before, "worker", "--detach", *after, f"--hostname={name}", *placed, *rest), paths["--pidfile"]
    )


def _parse(words: Sequence[str], grammar: Grammar) -> tuple[list[str], list[Given], list[str]]:
    """Names, options, and what stands after ``--``."""
    names: list[str] = []
    given: list[Given] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        option = _option(word, grammar)
        if option.value is None and grammar.options.get(option.name, True):
            if not left:
                raise CommandError(Exit.USAGE, f"Option {word!r} needs a value.", cure="Write it after the option.")
            option = option._replace(value=left.pop(0))
        given.append(option)
    return names, given, left


def _option(word: str, grammar: Grammar) -> Given:
    """``-c``, ``-c10``, ``-c:1-3``, ``--name``, ``--name=value`` or ``--name:w1=value``."""
    known = {**grammar.options, **dict.fromkeys(_OWN, True)}
    head, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    name, _, nodes = head.partition(":")
    attached = None
    if not word.startswith("--") and name not in known and known.get(name[:2]):
        name, attached = name[:2], word[2:]
        nodes = ""
    if name not in known:
        raise CommandError(
            Exit.USAGE, f"kernel worker has no option {name!r}.", cure=did_you_mean(name, known) or "See --help of it."
        )
    if equals and not known[name]:
        raise CommandError(Exit.USAGE, f"Option {name!r} takes no value.", cure="Leave it out.")
    return Given(name, value if equals else attached, nodes)


def _node_names(names: Sequence[str], own: Mapping[str, str], grammar: Grammar) -> list[str]:
    host = _host(own.get("--hostname"), grammar.host)
    if len(names) == 1 and names[0].isdecimal():
        prefix = own.get("--range-prefix", grammar.namespace)
        names = [f"{prefix}{number}" for number in range(1, int(names[0]) + 1)]
    if not names:
        raise CommandError(Exit.USAGE, "No node is named.", cure="Name nodes, or say how many: kernel multi start 3.")
    full = [node_name(name, grammar.namespace, host) for name in names]
    twice = next((name for name in full if full.count(name) > 1), None)
    if twice is not None:
        raise CommandError(Exit.USAGE, f"Node {twice!r} is named twice.", cure="Every node has a name of its own.")
    return full


def _host(given: str | None, host: str) -> str:
    """The host that names are completed with; it may be written with ``%h``, ``%n`` and ``%d`` of this machine."""
    if given is None:
        return host
    known = {"%h": host, "%n": host.partition(".")[0], "%d": host.partition(".")[2], "%%": "%"}
    return re.sub(r"%[hnd%]", lambda found: known[found[0]], given)


def _selected(option: Given, nodes: Sequence[str]) -> frozenset[str]:
    """The nodes an option is for: ``1-3``, ``4,5`` by their place, or names."""
    if not option.nodes:
        return frozenset(nodes)
    chosen: set[str] = set()
    for part in option.nodes.split(","):
        ends = _RANGE.fullmatch(part)
        if ends is not None or part.isdecimal():
            first, last = (int(ends[1]), int(ends[2])) if ends is not None else (int(part), int(part))
            found = list(nodes[first - 1 : last]) if 1 <= first <= last <= len(nodes) else []
        else:
            found = [name for name in nodes if part in {name, name.partition("@")[0]}]
        if not found:
            raise CommandError(
                Exit.USAGE,
                f"{option.name}:{option.nodes} is for {part!r}, which is none of the {len(nodes)} nodes.",
                cure=f"They are {', '.join(nodes)}.",
            )
        chosen.update(found)
    return frozenset(chosen)


def _canonical(name: str) -> str:
    return "--hostname" if name == "-n" else name
