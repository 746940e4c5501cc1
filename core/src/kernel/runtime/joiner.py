"""Ends chords: counts their members, and starts or fails their bodies (features.md 2.1, pains P09)."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import NAMESPACE_OID, uuid5

from kernel.contracts.backend import CLAIM_S, JoinState, Record, StoreMode
from kernel.engine.attempt import RunnableTask
from kernel.engine.errbacks import DirectErrback, errbacks_of
from kernel.engine.falling import Fall, Membership, first_tasks
from kernel.engine.following import launched
from kernel.engine.parts import Part, fallen_parts, fallen_records
from kernel.engine.plan import Run, Setting, plan
from kernel.engine.retry import where_it_came_from
from kernel.errors import ChordError, DriverError, InvalidTaskError, KernelError, OperationalError
from kernel.model import states
from kernel.model.call import Call
from kernel.model.canvas import ResultForm
from kernel.model.context import Request, Running, current
from kernel.model.nodes import ACCUMULATE, Node, read_node
from kernel.model.outcome import Failed, Succeeded
from kernel.model.signature import plain
from kernel.runtime.joins import Joins

logger = logging.getLogger("kernel.worker")

AGAIN = "kernel.chord_part"
"""The built-in task that asks again for a chord whose end somebody else has claimed."""
_GRACE_S = 0.5

Member = tuple[str, str, Any]
"""Id, state, and result or exception of a member of a chord."""
CallErrbacks = Callable[[Sequence[DirectErrback], Request, BaseException], None]


class Publishing(Protocol):
    """Sends calls; :class:`kernel.runtime.publisher.Publisher`."""

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch."""


class Storing(Protocol):
    """Writes records; :class:`kernel.runtime.store.Store`."""

    def all(self, records: Sequence[Record], mode: StoreMode) -> list[DriverError | None]:
        """Write all; per record the error that remains."""


class Ending(Protocol):
    """What ending chords needs around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def publisher(self) -> Publishing:
        """Where bodies go."""


class Joiner:
    """Reports members and acts when a chord is complete.

    Whoever completes a chord holds a claim until it says that the chord is joined. So everything it does before is
    repeated, and not lost, when it dies on the way: bodies have the same ids whoever sends them.

    Args:
        services: the publisher.
        joins: where members are counted.
        store: writes the failures of bodies that will never run.
        setting: records, and the registry to sort errbacks.
        call: calls errbacks that take the failure itself.
    """

    def __init__(
        self, services: Ending, joins: Joins, store: Storing, setting: Setting, call: CallErrbacks | None = None
    ) -> None:
        self._services = services
        self._joins = joins
        self._store = store
        self._setting = setting
        self._call = call or call_errbacks

    def report(self, parts: Sequence[Part]) -> None:
        """Tell the chords of their members, and act for those that are complete.

        Raises:
            KernelError: when a server did not take something; reporting the same parts again is safe.
        """
        for part in parts:
            state = self._joins.report(part)
            if state is None or state.done:
                continue
            if state.won:
                self.end(part.place, self._members(part.place, state))
            elif state.size and state.count >= state.size:
                self._ask_later(part.place)

    def end(self, place: Membership, members: Sequence[Member]) -> None:
        """Act for a complete chord: start the body with the results, or let it fail; then say that it is joined.

        Args:
            place: of the member that completed it.
            members: id, state and result or exception of each, in order.
        """
        failed = next(((one, error) for one, state, error in members if state != states.SUCCESS), None)
        try:
            if failed is None:
                self._begin(place, [value for _, _, value in members])
            else:
                self.fail(place, ChordError(f"Dependency {failed[0]} raised {failed[1]!r}"))
        except InvalidTaskError as error:
            logger.error("The body of chord %s cannot be understood: %s", place.key, error)  # noqa: TRY400 - it is data
        self._joins.joined(place.key)

    def fail(self, place: Membership, error: KernelError) -> None:
        """Let a body fail: it and what comes after it is marked, its errbacks run, chords that wait for it are told."""
        node = read_node(place.body)
        fall = Fall()
        fall.add(node)
        failed = Failed(error, f"{type(error).__name__}: {error}\n")
        began = self._request(place)
        records = fallen_records(fall, failed, began, self._setting.records, time.time())
        for problem in self._store.all(records, StoreMode.IF_NOT_FINAL) if records else ():
            if problem is not None and problem.retryable:
                raise problem
        self._errbacks(node, began, error)
        parts = fallen_parts(fall, error, self._setting.records, time.time())
        self.report([replace(part, place=replace(part.place, request=place.request)) for part in parts])

    def _begin(self, place: Membership, values: list[Any]) -> None:
        node = read_node(place.body)
        accumulate = self._setting.tasks.get(ACCUMULATE)
        if node["task"] == ACCUMULATE and node["kwargs"] == {"index": 0} and accumulate is not None:
            self._end_with(node, accumulate, values, place)
            return
        following = launched([node], (values,), self._request(place), place.key)
        try:
            calls = self._joins.once(following.calls)
            self._services.publisher.publish([*self._joins.expect(following.joins), *calls])
        except KernelError as error:
            if not _permanent(error):
                raise
            self.fail(place, error)

    def _end_with(self, node: Node, task: RunnableTask, values: list[Any], place: Membership) -> None:
        """A body that is only there to give the list back ends here and now, without a message to a queue that perhaps
        nobody consumes.
        """
        options, began = node["options"], self._request(place)
        request = Request(
            id=options.get("task_id"),
            task=node["task"],
            callbacks=listed(options.get("link")),
            errbacks=listed(options.get("link_error")),
            chain=listed(options.get("chain")),
            chord=options.get("chord"),
            group=options.get("group_id"),
            group_index=options.get("group_index"),
            ignore_result=bool(options.get("ignore_result")),
            reply_to=options.get("reply_to"),
            root_id=began.root_id,
            parent_id=began.id,
            called_directly=False,
        )
        now = time.time()
        ended = plan(Succeeded(values), Run(task, request, now, now), self._setting)
        if isinstance(ended.outcome, Failed):  # the list cannot be stored, or what follows cannot be read
            self.fail(place, ChordError(f"The results of chord {place.key} cannot be used: {ended.outcome.error}"))
            return
        self._services.publisher.publish([*self._joins.expect(ended.joins), *self._joins.once(ended.calls)])
        for problem in self._store.all([ended.record], ended.mode) if ended.record is not None else ():
            if problem is not None and problem.retryable:
                raise problem
            if problem is not None:  # such as a list too large for the store: whoever waits for it is told
                self.fail(place, ChordError(f"The results of chord {place.key} could not be stored: {problem}"))
                return
        self.report(ended.parts)

    def _errbacks(self, node: Node, began: Request, error: KernelError) -> None:
        for task in first_tasks(node):
            options = task["options"]
            request = Request(
                id=options.get("task_id"),
                task=task["task"],
                args=tuple(task["args"]),
                kwargs=dict(task["kwargs"]),
                errbacks=listed(options.get("link_error")),
                group=options.get("group_id"),
                root_id=began.root_id,
                parent_id=began.id,
                called_directly=False,
            )
            try:
                errbacks = errbacks_of(request, self._setting.tasks)
            except InvalidTaskError as problem:
                logger.error("Errbacks of task %s are not run: %s", request.id, problem)  # noqa: TRY400 - it is data
                continue
            if errbacks.calls:
                calls = self._joins.once(errbacks.calls)
                self._services.publisher.publish([*self._joins.expect(errbacks.joins), *calls])
            if errbacks.direct:
                self._call(errbacks.direct, request, error)

    def _ask_later(self, place: Membership) -> None:
        """Somebody acts for this chord. Look again when its claim is over, in case it died."""
        where = where_it_came_from(place.request.delivery_info) if place.request is not None else {}
        task_id = str(uuid5(NAMESPACE_OID, f"{place.key} {place.name} again"))
        arguments = (place.key, place.index, place.task_id, plain(place.body))
        later = {"countdown": CLAIM_S + _GRACE_S, "ignore_result": True, "add_to_parent": False, **where}
        self._services.publisher.publish([Call(AGAIN, arguments, {}, task_id, later)])  # type: ignore[arg-type] # its keys

    def _members(self, place: Membership, state: JoinState) -> Sequence[Member]:
        """What the members reported; as nested as a client says that saves the header instead of saying its size."""
        members = [self._setting.records.read_part(payload) for payload in state.payloads]
        form = None if place.size else self._joins.header(place.key)
        return members if form is None else nested(form, members)

    def _request(self, place: Membership) -> Request:
        """The request that what follows the chord is a child of."""
        root = place.request.root_id if place.request is not None else None
        return Request(id=place.task_id, root_id=root)


def nested(form: ResultForm, members: Sequence[Member]) -> Sequence[Member]:
    """The members of a header in the form of its results: groups among them become one member, with a list."""
    known = {member[0]: member for member in members}

    def read(form: ResultForm) -> Member:
        (one, _), parts = form
        if parts is None:
            return known[one]
        found = [read(part) for part in parts]
        failed = next((each for each in found if each[1] != states.SUCCESS), None)
        return failed or (one, states.SUCCESS, [value for _, _, value in found])

    try:
        return [read(part) for part in form[1]]
    except (KeyError, TypeError, ValueError):  # not what these members are of
        return members


def call_errbacks(errbacks: Sequence[DirectErrback], request: Request, error: BaseException) -> None:
    """Call errbacks here, one after the other; their errors are logged only."""
    for errback in errbacks:
        token = current.set(Running(errback.task, request))
        try:
            errback.task.body(*errback.args, request, error, None)
        except Exception:
            logger.exception("Errback %s of task %s failed", errback.task.name, request.id)
        finally:
            current.reset(token)


def listed(value: Any) -> list[Any]:
    if not value:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _permanent(error: KernelError) -> bool:
    """Whether trying again cannot help: the body itself is refused."""
    if isinstance(error, OperationalError) and error.failed:
        return any(not each.retryable for each in error.failed.values())
    return not (isinstance(error, DriverError) and error.retryable)
