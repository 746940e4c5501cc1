"""Chords on a real worker: bodies and errbacks once, whatever happens to the members (features.md 2.1, pains P09)."""

import threading
import time
from dataclasses import replace

import pytest

from kernel import chain, chord, group, signature, states
from kernel.builtins.memory.backend import CAPS, MemoryBackend
from kernel.contracts import CLAIM_S, Deadline, StoreResult
from kernel.errors import ChordError, Code, DriverError, Ignore, Reject, ResultsDisabled
from kernel.testing import start_worker

WAIT = 30


@pytest.fixture
def tasks(app):
    return Tasks(app)


class Tasks:
    """Tasks that note what they do."""

    def __init__(self, app):
        self.app, self.seen, self.lock = app, [], threading.Lock()
        self.add = app.task(name="add")(lambda x, y: x + y)
        self.total = app.task(name="total")(self._noting("total", sum))
        self.same = app.task(name="same")(lambda x: x)
        self.fail = app.task(name="fail")(self._fail)
        self.told = app.task(name="told")(self._told)

    def _noting(self, name, body):
        def noted(value):
            self.note((name, value))
            return body(value)

        return noted

    def note(self, what):
        with self.lock:
            self.seen.append(what)

    def _fail(self, *args):
        raise ValueError("no")

    def _told(self, request, exc, traceback):
        self.note((request.id, repr(exc)))


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_body_gets_the_results_in_the_order_of_the_header(make_app, working, store):
    app = make_app(store)
    tasks = Tasks(app)
    working(app)

    result = chord(tasks.add.s(i, i) for i in range(50))(tasks.same.s())

    assert result.get(timeout=WAIT) == [2 * i for i in range(50)]
    assert result.parent.get(timeout=WAIT) == result.get()
    assert chord([tasks.add.s(1, 1)])(tasks.total.s()).get(timeout=WAIT) == 2
    assert chord([], tasks.total.s())().get(timeout=WAIT) == 0


def test_forms_and_upgrades(tasks):
    add, total = tasks.add, tasks.total
    header = [add.s(1, 1), add.s(2, 2)]

    assert group(header) | total.s() == chord(header, total.s())
    assert chain(group(header), total.s()) == chord(header, total.s())
    assert (chord(header, total.s()) | add.s(1)).body == total.s() | add.s(1)
    assert (add.s(1, 1) | group(add.s(1)) | total.s()).tasks[1] == chord([add.s(1)], total.s())
    nested = group(header) | group(total.s(), total.s()) | total.s()
    assert nested.body == chord([total.s(), total.s()], total.s())
    assert chain(add.s(1)) == add.s(1)
    assert repr(chord(header, total.s())) == "%total([add(1, 1), add(2, 2)])"
    with pytest.raises(ValueError, match="needs a body"):
        chord(header)()


def test_a_failed_member_fails_the_body_and_everything_after_it(tasks, working):
    working(tasks.app)
    whole = chord([tasks.add.s(1, 1), tasks.fail.s()], tasks.total.s().on_error(tasks.told.s())) | tasks.add.s(1)

    result = whole.apply_async()

    with pytest.raises(ChordError, match=r"^Dependency .* raised ValueError\('no'\)$"):
        result.get(timeout=WAIT)
    body, header = result.parent, result.parent.parent
    assert (body.state, result.state) == ("FAILURE", "FAILURE")
    assert header.results[1].id in str(body.result)
    assert [member.state for member in header.results] == ["SUCCESS", "FAILURE"]
    assert tasks.seen == [(body.id, repr(body.result))]


@pytest.mark.parametrize(("allowed", "times"), [(False, 1), (True, 2)])
def test_errbacks_of_a_chord_may_stand_at_its_header_too(make_app, working, allowed, times):
    tasks = Tasks(make_app(task_allow_error_cb_on_chord_header=allowed))
    whole = tasks.same.s(1) | chord([tasks.fail.si(), tasks.add.si(1, 1)], tasks.total.s())
    whole.link_error(tasks.told.s())
    with start_worker(tasks.app, loglevel="CRITICAL"):
        result = whole()
        with pytest.raises(ChordError):
            result.get(timeout=WAIT)
        (~tasks.add.s(1, 1),)
    assert len(tasks.seen) == times


def test_links_of_a_chord_are_its_bodys_and_its_countdown_its_headers(tasks, working):
    working(tasks.app)
    began = time.monotonic()

    result = chord([tasks.add.s(1, 1)], tasks.same.s()).apply_async(countdown=0.3, link=tasks.total.s())

    assert result.get(timeout=WAIT) == [2]
    assert time.monotonic() - began >= 0.3
    assert result.children[0].get(timeout=WAIT) == 2
    assert tasks.seen == [("total", [2])]


def test_members_that_store_no_result_or_have_none(tasks, working):
    @tasks.app.task(name="ignore")
    def ignore():
        raise Ignore

    @tasks.app.task(name="reject")
    def reject():
        raise Reject("not now", requeue=False)

    working(tasks.app)
    quiet = tasks.add.signature((2, 2), ignore_result=True)

    assert chord([quiet, tasks.add.s(1, 1)])(tasks.total.s()).get(timeout=WAIT) == 6
    for member, text in ((ignore, "Ignore()"), (reject, "reject requeue=False: not now")):
        result = chord([member.s(), tasks.add.s(1, 1)])(tasks.total.s())
        with pytest.raises(ChordError, match=r"Dependency .* raised ") as caught:
            result.get(timeout=WAIT)
        assert str(caught.value).endswith(text)


def test_a_member_that_expires_or_is_unknown_fails_the_body(tasks, working):
    expired = tasks.add.signature((1, 1), expires=0.05, countdown=0.2)
    unknown = signature("nobody.knows", app=tasks.app)
    working(tasks.app)
    for member, error in ((expired, "TaskRevokedError"), (unknown, "NotRegistered")):
        result = chord([member, tasks.add.s(1, 1)])(tasks.total.s().on_error(tasks.told.s()))
        with pytest.raises(ChordError, match=error):
            result.get(timeout=WAIT)
        until(lambda: tasks.seen)  # the node has no executor for errbacks, so they run beside it
        assert tasks.seen.pop()[0] == result.id


def test_a_chain_whose_step_is_unknown_ends(tasks, working):
    working(tasks.app)
    result = (tasks.add.s(1, 1) | signature("nobody.knows", app=tasks.app) | tasks.add.s(1) | tasks.add.s(2))()
    assert "nobody.knows" in str(result.get(timeout=WAIT, propagate=False))
    assert result.parent.state == "FAILURE"


def test_a_chord_without_a_result_backend_is_refused(make_app):
    tasks = Tasks(make_app(backend="disabled"))
    with pytest.raises(ResultsDisabled, match="A chord needs a result backend"):
        chord([tasks.add.s(1, 1)])(tasks.total.s())


def test_results_by_message_cannot_be_collected_by_a_worker(make_app):
    tasks = Tasks(make_app(backend="rpc://"))
    with pytest.raises(NotImplementedError, match="by rpc:// they go to the caller"):
        chord([tasks.add.s(1, 1)])(tasks.total.s())


def test_a_body_that_cannot_be_sent_fails(tasks, working):
    working(tasks.app)
    body = tasks.total.signature(serializer="nobody")
    with pytest.raises(Exception, match="nobody"):
        chord([tasks.add.s(1, 1)])(body).get(timeout=WAIT)


class TestClaims:
    """What happens when the one who completes a chord dies, or is asked twice."""

    def payload(self, app, task_id, value):
        return app.client.services.records.part(task_id, states.SUCCESS, value)

    def test_a_repeated_report_of_a_chord_that_is_done_does_nothing(self, tasks, working):
        app = tasks.app
        working(app)
        result = chord([tasks.add.s(1, 1), tasks.add.s(2, 2)])(tasks.total.s())
        assert result.get(timeout=WAIT) == 6
        first = result.parent.results[0]

        again = tasks.add.s(1, 1).set(
            task_id=first.id, group_id=result.parent.id, group_index=0,
            chord={**tasks.total.signature(task_id=result.id), "chord_size": 2},
        )  # fmt: skip
        again.delay()
        tasks.add.delay(1, 1).get(timeout=WAIT)

        assert tasks.seen == [("total", [2, 4])]

    def test_a_winner_that_died_is_replaced_after_its_claim(self, make_app, working):
        """The join is complete and claimed by somebody who never says joined; a repeated member asks again later."""
        tasks = Tasks(make_app())
        app = tasks.app
        backend = app.client.services.backend
        body = tasks.total.s()
        result = body.freeze()
        wire = {**body, "chord_size": 2}
        soon = Deadline.after(WAIT)
        for index, task_id in enumerate(("one", "two")):
            state = backend.join("g", f"{index:06d}:{task_id}", self.payload(app, task_id, index + 1), 2, 600, soon)
        assert state.won
        claimed = time.monotonic()

        working(app)
        tasks.add.s(1, 1).set(task_id="two", group_id="g", group_index=1, chord=wire).delay().get(timeout=WAIT)

        assert result.get(timeout=WAIT) == 3
        assert time.monotonic() - claimed >= CLAIM_S - 0.5
        assert tasks.seen == [("total", [1, 2])]
        assert backend.join("g", "000001:two", b"", 2, 600, soon).done

    def test_a_body_that_was_sent_before_its_sender_died_runs_once(self, make_app, working):
        tasks = Tasks(make_app())
        app = tasks.app
        body = tasks.total.s()
        body.freeze()
        chords = app.client.chords(app.tasks, app.tasks["kernel.chord_part"].request)
        wire = {**body, "chord_size": 1}
        for _ in range(2):  # as after a crash between sending and saying joined
            chords._joiner.end(chords._place("g", wire), [("m", states.SUCCESS, 5)])
        with start_worker(app, loglevel="CRITICAL"):
            app.AsyncResult(body.id).get(timeout=WAIT)
            tasks.add.delay(1, 1).get(timeout=WAIT)
        assert tasks.seen == [("total", [5])]


def test_a_list_that_the_store_refuses_is_a_failure_and_no_silence(tasks, working, monkeypatch):
    store = MemoryBackend.store

    def refuse_the_list(backend, records, mode, deadline):
        results = store(backend, [one for one in records if not listed(one)], mode, deadline)
        refused = StoreResult(False, DriverError(Code.TOO_LARGE, "the list is too large"))
        return [refused if listed(one) else results.pop(0) for one in records]

    def listed(record):
        return record.status == states.SUCCESS and record.result.startswith(b"[")

    monkeypatch.setattr(MemoryBackend, "store", refuse_the_list)
    many = tasks.app.task(name="many", bind=True)(
        lambda self: self.replace(group(tasks.add.s(1, 1), tasks.add.s(2, 2)))
    )
    working(tasks.app)

    with pytest.raises(ChordError, match="could not be stored"):
        many.delay().get(timeout=WAIT)


class Joinless(MemoryBackend):
    """A store that cannot join."""

    def capabilities(self):
        return replace(CAPS, join=False)

    def join(self, *args):
        raise self.unsupported("join")


class TestWithoutJoins:
    """chord_unlock looks at the members' results, a bounded number of times."""

    @pytest.fixture
    def tasks(self, make_app, monkeypatch):
        monkeypatch.setattr(MemoryBackend, "capabilities", Joinless.capabilities)
        return Tasks(make_app(result_chord_retry_interval=0.05))

    def test_the_body_runs_once_all_are_there(self, tasks, working):
        working(tasks.app)
        slow = tasks.add.signature((1, 1), countdown=0.4)

        whole = tasks.add.s(1, 0) | group(tasks.add.s(1), tasks.add.s(2) | tasks.add.s(3)) | tasks.total.s()

        assert chord([slow, tasks.add.s(2, 2)])(tasks.total.s()).get(timeout=WAIT) == 6
        assert whole().get(timeout=WAIT) == 8
        assert len(tasks.seen) == 2

    def test_members_keep_their_results_although_asked_not_to(self, tasks, working):
        working(tasks.app)
        quiet = tasks.add.signature((2, 2), ignore_result=True)
        assert chord([quiet, tasks.add.s(1, 1)])(tasks.total.s()).get(timeout=WAIT) == 6

    def test_a_failed_member(self, tasks, working):
        working(tasks.app)
        result = chord([tasks.fail.s(), tasks.add.s(2, 2)])(tasks.total.s().on_error(tasks.told.s()))
        with pytest.raises(ChordError, match="ValueError"):
            result.get(timeout=WAIT)
        assert [seen[0] for seen in tasks.seen] == [result.id]

    def test_it_gives_up(self, tasks, working):
        app = tasks.app
        body = tasks.total.s().on_error(tasks.told.s())
        result = body.freeze()
        never = [[["never", None], None]]
        app.tasks["celery.chord_unlock"].s("g", body, max_retries=2, result=never).delay()
        working(app)
        with pytest.raises(ChordError, match="did not finish in time"):
            result.get(timeout=WAIT)

    def test_two_that_look_at_once_start_one_body(self, tasks, working):
        app = tasks.app
        body = tasks.total.s()
        result = body.freeze()
        app.client.results.store_state(_request("m"), states.SUCCESS, 4)
        for _ in range(3):
            app.tasks["celery.chord_unlock"].s("g", body, result=[[["m", None], None]]).delay()
        working(app)
        assert result.get(timeout=WAIT) == 4
        tasks.add.delay(1, 1).get(timeout=WAIT)
        assert tasks.seen == [("total", [4])]


def until(condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def _request(task_id):
    from kernel.model.context import Request

    return Request(id=task_id, called_directly=False)
