"""What the server sends through, and what came."""

from dataclasses import dataclass
from typing import NamedTuple

from plugin_broker_amqp import frames


class Arrival(NamedTuple):
    """A message as it came."""

    queue: str
    origin: frames.Origin
    tag: int
    redelivered: bool
    header: bytes
    body: bytes


@dataclass(slots=True, eq=False)
class Window:
    """A consumer of the server's. ``out`` counts what came through it and is not settled."""

    queue: str
    tag: str
    size: int
    out: int = 0

    @property
    def credit(self) -> int:
        """How many more may come."""
        return self.size - self.out
