"""The wrapped memory broker with nothing wrong: the cases that kill its siblings must let it pass."""

from kernel_conformance.saboteurs import broker_consuming, broker_publishing
from kernel_conformance.saboteurs.saboteur import Saboteur
from kernel_conformance.saboteurs.wrapped import WrappedBroker, WrappedHarness

_SIBLINGS = (*broker_consuming.SABOTEURS, *broker_publishing.SABOTEURS)
_CASES = tuple(sorted({case for one in _SIBLINGS for case in one.killed_by}))

SABOTEURS = (
    Saboteur("control-memory", "broker", "Nothing.", lambda: WrappedHarness(WrappedBroker), _CASES, control=True),
)
