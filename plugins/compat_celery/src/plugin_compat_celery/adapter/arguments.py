"""From the arguments of ``celery`` to those of ``kernel``: what is spelled differently, needless, or refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kernel.cli.exits import CommandError, Exit
from plugin_compat_celery.adapter.pools import pool_name


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one option.

    Attributes:
        value: it takes a value.
        to: the option in its place; None leaves it out.
        setting: or the setting that its value, or ``true``, is given to.
        variable: or the variable of the environment.
        note: said on the error stream when it is left out and that makes a difference.
        refused: why it cannot be; nothing is run then.
        pool: its value is the name of a pool.
    """

    value: bool = False
    to: str | None = None
    setting: str | None = None
    variable: str | None = None
    note: str = ""
    refused: str = ""
    pool: bool = False


_VALUE: Final = Rule(value=True, to="")
"""Same name; known here only because its value must not be taken for the command."""

_GLOBAL: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(("-A", "--app", "-b", "--broker", "--result-backend", "--workdir", "--config"), _VALUE),
    "--loader": Rule(value=True, variable="CELERY_LOADER"),
    "--skip-checks": Rule(variable="CELERY_SKIP_CHECKS"),
}

_RESERVES: Final = "a node reserves only what free slots take, and hands short tasks out in batches"

_WORKER: Final[Mapping[str, Rule]] = {
    "-O": Rule(value=True),  # 'fair' is how tasks are handed out here, always
    "--optimization": Rule(value=True),
    "--disable-prefetch": Rule(),
    "--prefetch-multiplier": Rule(value=True, note=_RESERVES),
    "-P": Rule(value=True, to="-P", pool=True),
    "--pool": Rule(value=True, to="--pool", pool=True),
    "--schedule": Rule(value=True, to="--schedule-filename"),
}

_SHELL: Final[Mapping[str, Rule]] = {
    "-I": Rule(to="--ipython"),
    "-B": Rule(refused="Use --ipython or --python."),
    "--bpython": Rule(refused="Use --ipython or --python."),
    "--eventlet": Rule(refused="There are no green threads here."),
    "--gevent": Rule(refused="There are no green threads here."),
    "-T": Rule(note="tasks are names of the prompt in any case"),
    "--without-tasks": Rule(note="tasks are names of the prompt in any case"),
}

COMMANDS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "worker": _WORKER,
    "multi": _WORKER,
    "shell": _SHELL,
}
"""Options by command; those that are not named are the same."""

REFUSED: Final[Mapping[str, str]] = {
    "amqp": "Use rabbitmqadmin, or kombu.",
    "list": "Use the tools of the broker; 'inspect active_queues' shows what workers consume.",
    "logtool": "Worker logs have the format of your choice: worker_log_format.",
    "migrate": "Let workers drain the old broker while clients send to the new one.",
    "upgrade": "'config MODULE' shows what becomes of each setting of a configuration.",
}
"""Commands of Celery that are not here, and what to do."""


@dataclass(slots=True)
class Translated:
    """What is run, and what is set and said before."""

    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def translate(arguments: Sequence[str]) -> Translated:
    """The arguments of the kernel's program.

    Raises:
        CommandError: 64 for an option or a command that has no counterpart.
        ImproperlyConfigured: for a pool that there is not.
    """
    found = Translated()
    rest = _options(list(arguments), _GLOBAL, found, until_command=True)
    if rest:
        command, *rest = rest
        _check_command(command, rest)
        found.arguments.append(command)
        _options(rest, COMMANDS.get(command, {}), found, until_command=False)
    return found


def _options(words: list[str], rules: Mapping[str, Rule], found: Translated, *, until_command: bool) -> list[str]:
    """Translate options; what is left from the command on, when that is where to stop."""
    while words:
        if until_command and not words[0].startswith("-"):
            return words
        if words[0] == "--":
            found.arguments += words
            return []
        name, attached = _split(words.pop(0), rules)
        rule = rules.get(name)
        if rule is None:
            found.arguments.append(name if attached is None else f"{name}={attached}")
            continue
        value = attached
        if rule.value and value is None:
            if not words:
                raise CommandError(Exit.USAGE, f"Option {name} needs a value.", cure=f"Write {name} VALUE.")
            value = words.pop(0)
        _apply(name, rule, value, found)
    return []


def _split(word: str, rules: Mapping[str, Rule]) -> tuple[str, str | None]:
    """An option and the value attached to it: ``--pool=solo`` and ``-Ofair``."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    short = rules.get(word[:2])
    if len(word) > 2 and short is not None and short.value:  # noqa: PLR2004 - a dash and a letter
        return word[:2], word[2:].removeprefix("=")
    return word, None


def _apply(name: str, rule: Rule, value: str | None, found: Translated) -> None:
    if rule.refused:
        raise CommandError(Exit.USAGE, f"{name} has no counterpart in kernel.", cure=rule.refused)
    if rule.note:
        found.notes.append(f"{name} has no effect: {rule.note}")
    if rule.setting is not None:
        found.environment[f"KERNEL_{rule.setting.upper()}"] = value or "true"
    if rule.variable is not None:
        found.environment[rule.variable] = value or "true"
    if rule.to is not None:
        found.arguments.append(rule.to or name)
        if value is not None:
            found.arguments.append(pool_name(value) or value if rule.pool else value)


def _check_command(command: str, words: Sequence[str]) -> None:
    cure = REFUSED.get(command)
    if command == "graph" and words and words[0] in {"bootsteps", "workers"}:
        cure = "'graph module:expression' draws a workflow here."
    if cure is not None:
        raise CommandError(Exit.USAGE, f"celery {command} has no counterpart in kernel.", cure=cure)
