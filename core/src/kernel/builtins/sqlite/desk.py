"""What a broker's consumers share: the file and this connection's place in it."""

from collections.abc import Callable

from kernel.builtins.sqlite.database import Database
from kernel.builtins.sqlite.owner import Ownership
from kernel.builtins.sqlite.topology import Topology


class Desk:
    """``clock`` gives Unix time, ``lease_s`` is for queues that do not say, ``wake`` lets consumers look again."""

    __slots__ = ("clock", "database", "lease_s", "ownership", "topology", "wake")

    def __init__(
        self,
        database: Database,
        topology: Topology,
        ownership: Ownership,
        clock: Callable[[], float],
        lease_s: float,
        wake: Callable[[], None],
    ) -> None:
        self.database = database
        self.topology = topology
        self.ownership = ownership
        self.clock = clock
        self.lease_s = lease_s
        self.wake = wake
