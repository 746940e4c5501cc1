"""For authors of brokers: write verbs for one message, :class:`SimpleBroker` makes a whole broker of them.

``verbs`` is the page to read: what an author writes. Everything else here is what the base does with it. The parts
stand alone, too, for a broker that implements :class:`kernel.contracts.Broker` itself: :class:`ThreadLocalHandles` and
:class:`SharedHandle` keep connections, :data:`FORKS` tells who must let go of them after a fork, :class:`Natives`
turns a client library's exceptions into :class:`~kernel.errors.DriverError`, :func:`pack` and :func:`unpack` carry a
whole message through a store of bytes.
"""

from kernel.contracts.simple.broker import SimpleBroker
from kernel.contracts.simple.envelope import pack, unpack
from kernel.contracts.simple.fork import FORKS, ForkGuard
from kernel.contracts.simple.handles import Handle, Handles, ThreadLocalHandles
from kernel.contracts.simple.natives import Natives
from kernel.contracts.simple.receipt import Receipt
from kernel.contracts.simple.shared_handle import SharedHandle

__all__ = [
    "FORKS",
    "ForkGuard",
    "Handle",
    "Handles",
    "Natives",
    "Receipt",
    "SharedHandle",
    "SimpleBroker",
    "ThreadLocalHandles",
    "pack",
    "unpack",
]
