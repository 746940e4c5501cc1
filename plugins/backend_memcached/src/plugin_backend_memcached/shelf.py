"""What reading and writing need around them."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel.contracts.document import Documents
from plugin_backend_memcached.fleet import Fleet
from plugin_backend_memcached.keys import Keys
from plugin_backend_memcached.values import Values


@dataclass(frozen=True, slots=True)
class Shelf:
    """The servers, the names on them, and the form of what is kept there.

    Attributes:
        fleet: the servers.
        keys: of the namespace.
        values: cuts what is too large for one item.
        documents: lays records out.
        clock: Unix time in seconds.
        max_size: bytes of the largest result that is stored at all.
        tombstone_s: seconds for which what was forgotten is not stored again; None: not at all.
    """

    fleet: Fleet
    keys: Keys
    values: Values
    documents: Documents
    clock: Callable[[], float]
    max_size: int
    tombstone_s: float | None
