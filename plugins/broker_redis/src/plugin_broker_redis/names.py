r"""The names of keys and channels, as Celery's transport makes them (wire.md 7), and those that are only ours.

A queue's list for priority step P is ``<queue>\x06\x16P``, without the ending for step 0. Ours begin with ``_kernel.``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SEPARATOR: Final = "\x06\x16"
TOP_PRIORITY: Final = 9
RESERVED: Final = re.compile(r"unacked(_index|_mutex)?|_(kombu|kernel)\..*", re.DOTALL)
"""Names that are no queue's."""
_FANOUT: Final = re.compile(r"(?!reply\.).*\.pidbox|[^.]*ev", re.DOTALL)
"""Exchanges of remote control and events: fan-out on Redis, whatever they are elsewhere (wire.md 7.4)."""
_RESERVED_TAG: Final = f"kernel{SEPARATOR}r"
_DELAYED_TAG: Final = f"kernel{SEPARATOR}d"


def is_fanout(exchange: str, kind: str) -> bool:
    """Whether messages to that exchange are published to channels."""
    return kind == "fanout" or _FANOUT.fullmatch(exchange) is not None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one database.

    Attributes:
        prefix: before every key and channel (``global_keyprefix``).
        db: its number, part of channels.
        steps: the priority steps, ascending from 0.
        zero_first: whether 0 is the most urgent priority, as Celery has it.
    """

    prefix: str
    db: int
    steps: tuple[int, ...]
    zero_first: bool

    @property
    def unacked(self) -> str:
        """Hash: tag → JSON ``[envelope, exchange, routing key]``."""
        return f"{self.prefix}unacked"

    @property
    def index(self) -> str:
        """Sorted set: tag → Unix time at which the visibility timeout began."""
        return f"{self.prefix}unacked_index"

    @property
    def registry(self) -> str:
        """Hash of ours: queue → its properties."""
        return f"{self.prefix}_kernel.queues"

    @property
    def exchanges(self) -> str:
        """Hash of ours: exchange → type."""
        return f"{self.prefix}_kernel.exchanges"

    @property
    def expiring(self) -> str:
        """Sorted set of ours: queue → Unix time at which it is removed when nobody used it."""
        return f"{self.prefix}_kernel.expiring"

    def bound(self, queue: str) -> str:
        """Set of ours: what a queue is bound to, ``<exchange> SEPARATOR <member>``."""
        return f"{self.prefix}_kernel.bound.{queue}"

    def dedup(self, queue: str, dedup_id: str) -> str:
        """Mark of ours: a message of that id was taken."""
        return f"{self.prefix}_kernel.dedup.{queue}{SEPARATOR}{dedup_id}"

    def bindings(self, exchange: str) -> tuple[str, str]:
        """Both sets of an exchange's bindings."""
        return f"{self.prefix}_kombu.binding.{exchange}", f"{self.prefix}_kombu.binding_permanent.{exchange}"

    def list_of(self, queue: str, priority: int) -> str:
        """The list a message of that priority belongs to."""
        step = max(one for one in self.steps if one <= min(max(priority, 0), TOP_PRIORITY))
        return f"{self.prefix}{queue}{SEPARATOR}{step}" if step else self.prefix + queue

    def lists_of(self, queue: str) -> list[str]:
        """All lists of a queue, the most urgent first."""
        steps: Sequence[int] = self.steps if self.zero_first else self.steps[::-1]
        return [self.list_of(queue, step) for step in steps]

    def channel(self, exchange: str, routing_key: str) -> str:
        """Where a fan-out message is published."""
        return f"{self.prefix}/{self.db}.{exchange}" + (f"/{routing_key}" if routing_key else "")

    def listen(self, exchange: str, binding_key: str) -> tuple[list[str], list[str]]:
        """Channels and patterns that a binding to a fan-out exchange hears; without a key, everything."""
        base = self.channel(exchange, "")
        if binding_key:
            return [], [f"{_literal(base)}/{binding_key.replace('#', '*')}"]
        return [base], [f"{_literal(base)}/*"]


def reserved_stem(unique: str) -> str:
    """The beginning of the tags of one reservation; a number and ``SEPARATOR <queue>`` follow."""
    return f"{_RESERVED_TAG}{SEPARATOR}{unique}."


def reserved_tag(stem: str, number: int, queue: str) -> str:
    """The tag of the ``number``-th message of a reservation, counted from 1. They sort in that order."""
    return f"{stem}{number:05d}{SEPARATOR}{queue}"


def delayed_tag(unique: str, queue: str) -> str:
    """The tag of a message nobody has, which waits for its time."""
    return f"{_DELAYED_TAG}{SEPARATOR}{unique}{SEPARATOR}{queue}"


def queue_of_tag(tag: str) -> str | None:
    """The queue of a tag of ours; None for any other."""
    if not tag.startswith((_RESERVED_TAG, _DELAYED_TAG)):
        return None
    return tag.split(SEPARATOR, 3)[3] if tag.count(SEPARATOR) >= 3 else None  # noqa: PLR2004 - the four parts


def is_delayed(tag: str) -> bool:
    """Whether nobody holds it: it waits for its time."""
    return tag.startswith(_DELAYED_TAG)


def is_receipt(value: object) -> bool:
    """Whether it may be the tag of a reservation."""
    return isinstance(value, str) and value.startswith(_RESERVED_TAG) and queue_of_tag(value) is not None


def _literal(text: str) -> str:
    """A channel's name inside a pattern."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
