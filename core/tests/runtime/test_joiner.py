"""Ending chords when something is refused, unreadable or away."""

import pytest

from kernel.builtins.serializers.json import JsonSerializer
from kernel.contracts.backend import JoinState
from kernel.contracts.capabilities import BackendCaps
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.engine.falling import Membership
from kernel.engine.parts import Part
from kernel.engine.plan import Setting
from kernel.engine.records import Records
from kernel.errors import Code, DriverError, OperationalError, QueueNotFound
from kernel.model import states
from kernel.model.config import Config
from kernel.model.context import Request
from kernel.model.options import TaskOptions
from kernel.runtime.joiner import Joiner, nested
from kernel.runtime.joins import BackendJoins, LocalJoins

CODEC = Codec([JsonSerializer()], [], ["json"], DecodeLimits())
BODY = {"task": "body", "args": [], "kwargs": {}, "options": {"task_id": "b"}, "chord_size": 2}


class Joins(LocalJoins):
    """Joins that answer what a test wants."""

    def __init__(self):
        super().__init__()
        self.state, self.done = None, []

    def report(self, part):
        return super().report(part) if self.state is None else self.state

    def joined(self, key):
        self.done.append(key)


class Bench:
    def __init__(self, tasks=None):
        self.sent, self.stored, self.refuse, self.problem = [], [], None, None
        self.publisher = self.store = self
        self.joins = Joins()
        self.records = Records(Config(), CODEC)
        self.joiner = Joiner(self, self.joins, self, Setting(self.records, tasks or {}, "w"))

    def publish(self, calls):
        error, self.refuse = self.refuse, None
        if error is not None:
            raise error
        self.sent += calls

    def all(self, records, mode):
        self.stored += [(record.id, record.status) for record in records]
        return [self.problem] * len(records)

    def part(self, index, value, body=BODY, key="g"):
        task_id = f"m{index}"
        place = Membership(key, index, task_id, body, Request(id=task_id, delivery_info={"routing_key": "q"}))
        state = states.FAILURE if isinstance(value, BaseException) else states.SUCCESS
        return Part(place, self.records.part(task_id, state, value))

    def report(self, *values, body=BODY):
        self.joiner.report([self.part(index, value, body) for index, value in enumerate(values)])


def test_the_last_member_starts_the_body():
    bench = Bench()
    bench.report(1)
    assert (bench.sent, bench.joins.done) == ([], [])
    bench.joiner.report([bench.part(1, 2)])
    (call,) = bench.sent
    assert (call.id, call.args, bench.joins.done) == ("b", ([1, 2],), ["g"])


def test_what_is_done_is_left_alone_and_what_is_claimed_is_asked_for_later():
    bench = Bench()
    bench.joins.state = JoinState(2, 2, won=False, done=True)
    bench.report(1)
    assert bench.sent == []
    bench.joins.state = JoinState(2, 2, won=False)
    bench.report(1)
    (again,) = bench.sent
    assert (again.task, again.args[:3]) == ("kernel.chord_part", ("g", 0, "m0"))
    assert (again.options["queue"], again.options["countdown"] > 5) == ("q", True)
    bench.joins.state = JoinState(2, 0, won=False)  # nobody knows the size
    bench.report(1)
    assert len(bench.sent) == 1


@pytest.mark.parametrize(
    "error",
    [QueueNotFound("nowhere"), DriverError(Code.TOO_LARGE, "too large")],
)
def test_a_body_that_is_refused_for_good_fails(error):
    bench = Bench()
    bench.refuse = error
    bench.report(1, 2)
    assert bench.stored == [("b", "FAILURE")]
    assert bench.joins.done == ["g"]


def test_a_batch_in_which_one_message_is_refused_for_good():
    bench = Bench()
    bench.refuse = OperationalError("not sent")
    bench.refuse.failed = {"b": DriverError(Code.TOO_LARGE, "too large")}
    bench.report(1, 2)
    assert bench.stored == [("b", "FAILURE")]


def test_a_broker_that_is_away_leaves_the_chord_to_a_repeat():
    bench = Bench()
    bench.refuse = OperationalError("away")
    with pytest.raises(OperationalError):
        bench.report(1, 2)
    assert (bench.stored, bench.joins.done) == ([], [])
    bench.joiner.report([bench.part(1, 2)])
    assert bench.joins.done == ["g"]


def test_a_store_that_is_away_leaves_the_failure_to_a_repeat():
    bench = Bench()
    bench.problem = DriverError(Code.UNAVAILABLE, "away")
    with pytest.raises(DriverError, match="away"):
        bench.report(1, ValueError("no"))
    assert bench.joins.done == []


def test_a_body_that_cannot_be_read_ends_the_chord_all_the_same(caplog):
    bench = Bench()
    bench.report(1, 2, body={"task": "", "chord_size": 2})
    assert bench.joins.done == ["g"]
    assert "cannot be understood" in caplog.text


class Told:
    name, bind, has_handlers = "told", False, False
    task_options = TaskOptions("told")

    def __init__(self):
        self.seen = []

    def body(self, request, exc, traceback):
        self.seen.append((request.id, str(exc)))
        raise RuntimeError("errbacks may fail")


def test_errbacks_are_called_or_sent(caplog):
    told = Told()
    bench = Bench({"told": told})
    errbacks = [{"task": "told"}, {"task": "sent"}]
    bench.report(1, ValueError("no"), body={**BODY, "options": {"task_id": "b", "link_error": errbacks}})
    assert told.seen == [("b", "Dependency m1 raised ValueError('no')")]
    assert [(call.task, call.args) for call in bench.sent] == [("sent", ("b",))]
    assert "Errback told of task b failed" in caplog.text


def test_errbacks_that_cannot_be_read_do_not_hide_the_failure(caplog):
    bench = Bench()
    bench.report(1, ValueError("no"), body={**BODY, "options": {"task_id": "b", "link_error": {"task": 5}}})
    assert bench.stored == [("b", "FAILURE")]
    assert "Errbacks of task b are not run" in caplog.text


def test_a_body_that_is_a_member_tells_its_own_chord():
    outer = {**BODY, "options": {"task_id": "outer"}, "chord_size": 1}
    inner = {**BODY, "options": {"task_id": "b", "chord": outer, "group_id": "outer-g", "group_index": 0}}
    bench = Bench()
    bench.report(1, ValueError("no"), body=inner)
    assert bench.stored == [("b", "FAILURE"), ("outer", "FAILURE")]
    assert bench.joins.done == ["outer-g", "g"]


class Accumulate(Told):
    name = "celery.accumulate"
    task_options = TaskOptions("celery.accumulate")


def test_a_list_that_something_waits_for_needs_no_message():
    """A group at the end of a member: its list is stored and told to the outer chord, whatever queues are consumed."""
    outer = {**BODY, "chord_size": 1}
    place = {"task_id": "a", "chord": outer, "group_id": "outer", "group_index": 0, "link": {"task": "after"}}
    body = {**BODY, "task": "celery.accumulate", "kwargs": {"index": 0}, "options": place}
    bench = Bench({"celery.accumulate": Accumulate()})
    bench.report(1, 2, body=body)
    after, last = bench.sent
    assert (after.task, after.args) == ("after", ([1, 2],))
    assert (last.id, last.args) == ("b", ([[1, 2]],))
    assert bench.stored == [("a", "SUCCESS")]
    assert bench.joins.done == ["outer", "g"]


def test_a_list_whose_callback_cannot_be_read_fails():
    body = {
        **BODY,
        "task": "celery.accumulate",
        "kwargs": {"index": 0},
        "options": {"task_id": "a", "link": {"task": 5}},
    }
    bench = Bench({"celery.accumulate": Accumulate()})
    bench.report(1, 2, body=body)
    assert bench.stored == [("a", "FAILURE")]


def test_members_in_the_form_of_their_header():
    members = [("a", "SUCCESS", 1), ("b", "SUCCESS", 2), ("c", "SUCCESS", 3)]
    leaf = [[[one, None], None] for one in "abc"]
    form = [["g", None], [[["i", None], leaf[:2]], leaf[2]]]
    assert nested(form, members) == [("i", "SUCCESS", [1, 2]), members[2]]
    failed = [("a", "FAILURE", ValueError()), *members[1:]]
    assert nested(form, failed)[0] == failed[0]
    assert nested([["g", None], [[["other", None], None]]], members) == members
    assert nested([["g", None], None], members) == members


class Away:
    """A result backend that is away for a while."""

    def __init__(self, times, retryable=True):
        self.times, self.retryable, self.broker_caps = times, retryable, None
        self.config = Config(result_backend_base_sleep_between_retries_ms=1)
        self.backend = self

    def capabilities(self):
        return BackendCaps(join=True)

    def fetch_group(self, key, deadline):
        return b"["

    def join(self, *args):
        self.times -= 1
        if self.times >= 0:
            raise DriverError(Code.UNAVAILABLE if self.retryable else Code.INVALID, "away")
        return JoinState(1, args[3], won=False)


def test_reports_are_patient_with_a_store_that_is_away():
    part = Bench().part(0, 1)
    assert BackendJoins(Away(3)).report(part) == JoinState(1, 2, won=False)
    for joins in (BackendJoins(Away(3), patient=False), BackendJoins(Away(1, retryable=False))):
        with pytest.raises(DriverError):
            joins.report(part)


def test_a_size_nobody_can_read_is_unknown():
    part = Bench().part(0, 1, body={"task": "body"})
    assert BackendJoins(Away(0)).report(part) == JoinState(1, 0, won=False)
