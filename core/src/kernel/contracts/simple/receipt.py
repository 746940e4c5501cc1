"""What a simple broker gives out to settle a delivery by."""

from typing import NamedTuple


class Receipt(NamedTuple):
    """The author's own token, with the queue and the number of the connection it came over."""

    queue: str
    epoch: int
    token: object
