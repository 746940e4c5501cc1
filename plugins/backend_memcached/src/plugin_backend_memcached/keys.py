"""Keys: those of Celery for namespace ``celery`` (wire.md 10.4), and whatever an id may be, as memcached takes it."""

import hashlib
import re
from urllib.parse import quote

LONGEST = 250
"""Bytes of a key."""
_PLAIN = re.compile(r"[!-$&-~][!-~]*")
"""Ids that are keys as they are: visible ASCII. One that begins with the mark of the others is none of them."""


class Keys:
    """Keys of one namespace.

    Ids with other characters are quoted behind a ``%``, and those that are too long become ``%#`` and their digest: two
    ids never have one key, and no id can be a command.

    Args:
        namespace: of the application; its grammar (letters, digits, ``_.-``) is part of the settings' checks.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def task(self, task_id: str) -> str:
        """Of a task's record."""
        return self._key("task-meta-", task_id)

    def group(self, group_id: str) -> str:
        """Of a saved group."""
        return self._key("taskset-meta-", group_id)

    def counter(self, name: str) -> str:
        """Of a counter; Celery has none of these."""
        return self._key("counter-", name)

    def join(self, name: str) -> str:
        """Of a join; Celery has none of these."""
        return self._key("join-", name)

    def part(self, nonce: str, number: int) -> str:
        """Of a piece of a value that is too large for one item."""
        return f"{self._namespace}-part-{nonce}-{number}"

    def reports(self, nonce: str) -> str:
        """Of the number of reports of a join."""
        return f"{self._namespace}-reports-{nonce}"

    def members(self, nonce: str) -> str:
        """Of the list of the members of a join."""
        return f"{self._namespace}-members-{nonce}"

    def member(self, nonce: str, digest: str) -> str:
        """Of the payload of a member of a join."""
        return f"{self._namespace}-member-{nonce}-{digest}"

    def claim(self, nonce: str) -> str:
        """Of the claim of a join."""
        return f"{self._namespace}-claim-{nonce}"

    def _key(self, kind: str, name: str) -> str:
        prefix = f"{self._namespace}-{kind}"
        room = LONGEST - len(prefix)
        if _PLAIN.fullmatch(name) and len(name) <= room:
            return prefix + name
        raw = name.encode("utf-8", "surrogatepass")
        quoted = "%" + quote(raw, safe="")
        if len(quoted) <= room:
            return prefix + quoted
        return f"{prefix}%#{hashlib.blake2b(raw, digest_size=32).hexdigest()}"
