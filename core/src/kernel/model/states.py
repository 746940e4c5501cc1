"""The states of a task and how they compare (features.md 1.4)."""

from collections.abc import Iterable

PENDING = "PENDING"
RECEIVED = "RECEIVED"
STARTED = "STARTED"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
REVOKED = "REVOKED"
REJECTED = "REJECTED"
RETRY = "RETRY"
IGNORED = "IGNORED"

READY_STATES = frozenset({SUCCESS, FAILURE, REVOKED})
UNREADY_STATES = frozenset({PENDING, RECEIVED, STARTED, REJECTED, RETRY})
EXCEPTION_STATES = frozenset({RETRY, FAILURE, REVOKED})
PROPAGATE_STATES = frozenset({FAILURE, REVOKED})
ALL_STATES = READY_STATES | UNREADY_STATES

_PRECEDENCE: tuple[str | None, ...] = (
    SUCCESS,
    FAILURE,
    None,  # any custom state
    REVOKED,
    STARTED,
    RECEIVED,
    REJECTED,
    RETRY,
    PENDING,
)
_RANK = {name: rank for rank, name in enumerate(_PRECEDENCE)}
_CUSTOM_RANK = _RANK[None]


def precedence(name: str) -> int:
    """The rank of a state; a lower rank is further along. A custom state ranks after FAILURE."""
    return _RANK.get(name, _CUSTOM_RANK)


class state(str):  # noqa: N801 - the documented name of this type
    """A state name whose comparison follows precedence: ``state(PENDING) < state(SUCCESS)``."""

    __slots__ = ()

    def __gt__(self, other: str) -> bool:
        return precedence(self) < precedence(other)

    def __ge__(self, other: str) -> bool:
        return precedence(self) <= precedence(other)

    def __lt__(self, other: str) -> bool:
        return precedence(self) > precedence(other)

    def __le__(self, other: str) -> bool:
        return precedence(self) >= precedence(other)


def furthest(names: Iterable[str]) -> str:
    """Of several states the one furthest along.

    Raises:
        ValueError: when there are none.
    """
    return min(names, key=precedence)
