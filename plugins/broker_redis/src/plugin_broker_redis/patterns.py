"""Which queues an exchange's bindings reach, read from the sets that Celery's transport keeps (wire.md 7.1, 7.5)."""

import re
from collections.abc import Iterable

from kernel.model.topology import binding_matches
from plugin_broker_redis.names import SEPARATOR


def topic_regex(binding_key: str) -> str:
    """A topic binding key as the regular expression that stands in a binding: ``*`` is a word, ``#`` anything."""
    words = {"*": r"[^\.]+", "#": r".*?"}
    return "^" + r"\.".join(words.get(word) or re.escape(word) for word in binding_key.split(".")) + "$"


def reached(members: Iterable[bytes], kind: str, routing_key: str) -> list[str]:
    """The queues whose binding matches, each once, sorted. A member with a pattern belongs to a topic exchange."""
    found = set()
    for member in members:
        parts = member.decode().split(SEPARATOR)
        if len(parts) != 3:  # noqa: PLR2004 - key, pattern, queue
            continue
        key, pattern, queue = parts
        if queue and binding_matches("topic" if pattern else kind, key, routing_key):
            found.add(queue)
    return sorted(found)
