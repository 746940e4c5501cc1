"""Arguments of ``celery`` become those of ``kernel``; every option of Celery's commands is known there or here."""

import pytest

from kernel.cli.main import COMMANDS as KERNEL
from plugin_compat_celery.adapter.arguments import COMMANDS, translate
from plugin_compat_celery.exceptions import ImproperlyConfigured

CELERY = {
    "worker": """-n --hostname -D --detach -S --statedb -l --loglevel -O --optimization --prefetch-multiplier
        --disable-prefetch -c --concurrency -P --pool -E --task-events --events --time-limit --soft-time-limit
        --max-tasks-per-child --pool-start-method --max-memory-per-child --purge --discard -Q --queues -X
        --exclude-queues -I --include --without-gossip --without-mingle --without-heartbeat --heartbeat-interval
        --autoscale -B --beat -s --schedule-filename --schedule --scheduler -f --logfile --pidfile --uid --gid --umask
        --executable""",
    "beat": """--detach -s --schedule -S --scheduler --max-interval --enable-remote-control
        --no-enable-remote-control -n --hostname -l --loglevel -f --logfile --pidfile --uid --gid --umask
        --executable""",
    "events": """-d --dump -c --camera --detach -F --frequency --freq -r --maxrate -l --loglevel -f --logfile
        --pidfile --uid --gid --umask --executable""",
    "control": "-t --timeout -d --destination -j --json --list",
    "inspect": "-t --timeout -d --destination -j --json --list",
    "status": "-t --timeout -d --destination -j --json",
    "call": "-a --args -k --kwargs --eta --countdown --expires --serializer --queue --exchange --routing-key",
    "result": "-t --task --traceback",
    "purge": "-f --force -Q --queues -X --exclude-queues",
    "shell": "-I --ipython -B --bpython --python -T --without-tasks --eventlet --gevent",
    "report": "",
}
"""The options of Celery 5.7, from its help."""


@pytest.mark.parametrize(
    ("given", "run"),
    [
        ("-A proj worker -l INFO", "-A proj worker -l INFO"),
        ("--app=proj --workdir x worker -P processes", "--app proj --workdir x worker -P prefork"),
        ("worker --pool=threads --events --discard -Ofair", "worker --pool threads --events --discard"),
        ("worker --disable-prefetch --optimization fair -c4", "worker -c4"),
        ("worker -B --schedule=x -- -O", "worker -B --schedule-filename x -- -O"),
        ("shell -I", "shell --ipython"),
        ("call proj.add -a [1,2]", "call proj.add -a [1,2]"),
        ("-q", "-q"),
    ],
)
def test_what_is_run(given: str, run: str) -> None:
    assert translate(given.split()).arguments == run.split()


def test_what_is_set_and_said_before() -> None:
    found = translate(
        ["--loader=app", "--skip-checks", "worker", "--pool-start-method", "spawn", "--prefetch-multiplier", "5"]
    )
    assert found.arguments == ["worker", "--pool-start-method", "spawn"]
    assert found.environment == {"CELERY_LOADER": "app", "CELERY_SKIP_CHECKS": "true"}
    (note,) = found.notes
    assert note.startswith("--prefetch-multiplier has no effect: ")


def test_a_pool_that_there_is_not_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="There is no pool 'processed'"):
        translate(["worker", "--pool=processed"])


@pytest.mark.parametrize("command", CELERY)
def test_every_option_of_celery_is_known_or_translated(command: str) -> None:
    known = {option for each in KERNEL[command].load().params for option in (*each.opts, *each.secondary_opts)}
    rules = COMMANDS.get(command, {})
    assert [option for option in CELERY[command].split() if option not in known and option not in rules] == []
    leading = {rule.to for rule in rules.values() if rule.to}
    assert leading <= known, "an option is translated to one that there is not"
