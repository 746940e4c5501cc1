"""Delays by queues whose messages expire: a ladder of 28 steps, each twice as long as the one below (wire.md 6).

A message enters at the top with its delay as 28 binary digits in the routing key. At each step it waits in the step's
queue when its digit is 1, and passes by when it is 0; at the bottom an exchange brings it to its own queue. Nothing is
held by any client, and a restart of the server loses nothing.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

STEPS: Final = 28
LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a queue, the exchange of the same name before it, and where its messages go when they expire."""

    name: str
    index: int
    ttl_ms: int
    next_exchange: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """The names of one ladder.

    Args:
        namespace: first part of every name; with ``celery`` this is the ladder that Celery's workers declare.
        unit_s: seconds of the lowest step. Celery's is 1.
    """

    namespace: str
    unit_s: float

    @property
    def top(self) -> str:
        """The exchange where messages enter."""
        return f"{self.namespace}_delayed_{STEPS - 1}"

    @property
    def bottom(self) -> str:
        """The exchange that brings messages to their queues."""
        return f"{self.namespace}_delayed_delivery"

    @property
    def longest_s(self) -> float:
        """The longest delay it can keep."""
        return float(2**STEPS - 1) * self.unit_s

    def steps(self) -> Iterator[Step]:
        """From the lowest to the highest."""
        for index in range(STEPS):
            below = self.bottom if index == 0 else f"{self.namespace}_delayed_{index - 1}"
            yield Step(f"{self.namespace}_delayed_{index}", index, round(2**index * self.unit_s * 1000), below)

    def digits(self, delay_s: float) -> str:
        """The first words of the routing key: the delay rounded up to whole units, so that nothing comes early."""
        units = min(2**STEPS - 1, -int(-delay_s // self.unit_s))
        return ".".join(f"{units:0{STEPS}b}")

    def key(self, queue: str, delay_s: float) -> str:
        """The routing key for a message to a queue."""
        return f"{self.digits(delay_s)}.{landing(queue)}"

    def landing_key(self, key: str) -> str:
        """The binding key by which a queue gets, at the bottom, what was sent with ``key`` after the digits."""
        return "*." * STEPS + key


def waits(index: int) -> str:
    """The binding key of a step's queue: its digit is 1."""
    return "*." * (STEPS - 1 - index) + "1.#"


def passes(index: int) -> str:
    """The binding key between a step's exchange and the next: its digit is 0."""
    return "*." * (STEPS - 1 - index) + "0.#"


def queue_arguments(step: Step, queue_type: str) -> dict[str, Any]:
    """The arguments of a step's queue, as a Celery worker declares them."""
    arguments = {
        "x-queue-type": queue_type,
        "x-overflow": "reject-publish",
        "x-message-ttl": step.ttl_ms,
        "x-dead-letter-exchange": step.next_exchange,
    }
    if queue_type == "quorum":
        arguments["x-dead-letter-strategy"] = "at-least-once"
    return arguments


def landing(queue: str) -> str:
    """What stands for a queue after the digits: its name, or a hash where a name would be a pattern or too long."""
    patterns = any(word in {"*", "#"} for word in queue.split("."))
    if patterns or 2 * STEPS + len(queue.encode()) > LONGEST_KEY:
        return hashlib.sha256(queue.encode()).hexdigest()
    return queue
