"""Records that were forgotten and stay so (capability ``tombstone``): an item in their place that nobody overwrites."""

from collections.abc import Iterable

from kernel.contracts.deadline import Deadline
from plugin_backend_memcached.connection import STORED, Connection
from plugin_backend_memcached.expiry import expiry
from plugin_backend_memcached.shelf import Shelf

GRAVE = (
    b'{"status": "PENDING", "result": null, "traceback": null, "children": [], "date_done": null, '
    b'"kernel": {"forgotten": true}}'
)
"""For Celery a task that nobody knows anything of."""
WHAT = "forgetting results"


def bury(shelf: Shelf, keys: Iterable[str], seconds: float, deadline: Deadline) -> int:
    """Put the mark in the place of records; how many there were."""
    gone = 0
    expire = expiry(seconds, shelf.clock())
    for name, ours in shelf.fleet.by_home(keys).items():
        waiting = ours
        while waiting:
            deadline.check(f"memcached {name}: {WHAT}")
            with shelf.fleet.at(name, WHAT, deadline) as connection:
                buried, waiting = _round(connection, waiting, expire)
            gone += buried
    return gone


def _round(connection: Connection, keys: list[str], expire: int) -> tuple[int, list[str]]:
    """One try for each: how many records went, and the keys of those that somebody changed meanwhile."""
    old = connection.tokens(keys)
    there = [key for key in keys if key in old and old[key][0] != GRAVE]
    absent = [key for key in keys if key not in old]
    commands = [connection.write("cas", key, GRAVE, expire, old[key][1]) for key in there]
    commands += [connection.write("add", key, GRAVE, expire) for key in absent]
    answers = connection.send(commands)
    again = [key for key, answer in zip([*there, *absent], answers, strict=True) if answer != STORED]
    return answers[: len(there)].count(STORED), again
