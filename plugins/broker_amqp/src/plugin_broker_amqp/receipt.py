"""What a delivery is settled by."""

from typing import NamedTuple


class Receipt(NamedTuple):
    """The channel's number in this process, and the server's tag on it."""

    epoch: int
    tag: int
