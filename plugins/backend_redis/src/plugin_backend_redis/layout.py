"""Keys of results as Celery names them (wire.md 10.2, 11.1, 11.2); with another namespace its name stands first."""

from dataclasses import dataclass

from kernel.errors import Code, DriverError

_ENDS = ":_-."


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of one namespace.

    Attributes:
        prefix: before everything (``global_keyprefix``).
        namespace: first part of a name.
    """

    prefix: str
    namespace: str

    def task(self, task_id: str) -> bytes:
        """The key of a task's document, and the channel that tells of it.

        Raises:
            DriverError: INVALID for an id that is no Unicode text.
        """
        return self._key("task-meta", task_id)

    def group(self, group_id: str, suffix: str = "") -> bytes:
        """A key of a group: ``""`` is the saved group; of its join ``.j`` holds the results, ``.d`` who reported,
        ``.s`` the size, ``.t`` what was added to it, ``.c`` the claim.
        """
        return self._key("taskset-meta", group_id + suffix)

    def counter(self, name: str) -> bytes:
        """The key of a counter; Celery has none."""
        return self._key("counter", name)

    def task_of(self, channel: bytes) -> str:
        """The task's id in the name of a channel."""
        start = len(f"{self.prefix}{self.namespace}-task-meta-".encode())
        return channel[start:].decode()

    def _key(self, kind: str, name: str) -> bytes:
        try:
            return f"{self.prefix}{self.namespace}-{kind}-{name}".encode()
        except UnicodeEncodeError as error:
            raise DriverError(Code.INVALID, f"The id {name!r} is no Unicode text", cure="Use another id.") from error


def joined_prefix(prefix: str) -> str:
    """``global_keyprefix`` as Celery puts it before its own prefixes: with an underscore, unless it ends like one."""
    return prefix if not prefix or prefix[-1] in _ENDS else f"{prefix}_"
