"""What is written of a task beside its own result: reports to chords, and the records of what fell with it."""

from dataclasses import dataclass

from kernel.contracts.backend import Record
from kernel.engine.falling import Fall, Membership, membership
from kernel.engine.records import Records
from kernel.model import states
from kernel.model.context import Request
from kernel.model.outcome import Failed


@dataclass(frozen=True, slots=True)
class Part:
    """What a chord is told of one of its members.

    Attributes:
        place: which chord, and which member.
        payload: its report (wire.md 11.2).
        unstored: the record of a member that stores no result, for those who look at results instead of joining.
    """

    place: Membership
    payload: bytes
    unstored: Record | None = None


def success_parts(request: Request, value: object, records: Records, now: float) -> tuple[Part, ...]:
    """What the chord that waits for a task is told of its result.

    Raises:
        EncodeError: when the result serializer cannot carry it.
    """
    own = membership(request)
    if own is None:
        return ()
    unstored = records.success(request, value, "", now) if request.ignore_result else None
    return (Part(own, records.part(own.task_id, states.SUCCESS, value), unstored),)


def fallen_parts(fall: Fall, error: BaseException, records: Records, now: float) -> tuple[Part, ...]:
    """What the chords are told that wait for a task that failed or fell."""
    request = fall.request or Request()
    return tuple(
        Part(
            place,
            records.part(place.task_id, states.FAILURE, error),
            records.fallen(place.task_id, error, None, request, now),
        )
        for place in fall.parts
    )


def fallen_records(fall: Fall, failed: Failed, request: Request, records: Records, now: float) -> tuple[Record, ...]:
    """The records of what falls with a failed task."""
    marked = [node["options"] for node in fall.tasks if not node["options"].get("ignore_result")]
    ids = dict.fromkeys(options["task_id"] for options in marked if options.get("task_id"))
    return tuple(records.fallen(one, failed.error, failed.traceback, request, now) for one in ids)
