"""Signatures, groups and chains (features.md 1.2, 1.26, 2.1)."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from kernel import GroupResult, Signature, chain, group, maybe_signature, signature
from kernel.contracts import Deadline
from kernel.errors import NotRegistered

WAIT = 20


@pytest.fixture
def add(app):
    return app.task(name="proj.add")(lambda x, y: x + y)


@pytest.fixture
def mul(app):
    return app.task(name="proj.mul")(lambda x, y: x * y)


@pytest.fixture
def total(app):
    return app.task(name="proj.total")(sum)


def embed(item):
    return json.loads(item.body)[2]


class TestSignature:
    def test_it_is_a_dict_and_shows_as_a_call(self, add) -> None:
        sig = add.signature((2, 5), countdown=10)

        assert repr(sig) == "proj.add(2, 5)"
        assert repr(add.s(2, y=3)) == "proj.add(2, y=3)"
        assert dict(sig) == {
            "task": "proj.add",
            "args": (2, 5),
            "kwargs": {},
            "options": {"countdown": 10},
            "subtask_type": None,
            "immutable": False,
        }
        assert (sig.task, sig.args, sig.kwargs) == ("proj.add", (2, 5), {})
        assert (sig.options, sig.immutable) == ({"countdown": 10}, False)
        assert sig.type is add

    def test_calling_api(self, app, add, sent) -> None:
        items = sent(app)

        assert add.s(2)(3) == 5
        add.s(2).delay(1)
        add.s(2).apply_async((1,), countdown=3)
        add.signature((2, 2), queue="q", priority=5).apply_async(priority=6)

        assert [json.loads(item.body)[0] for item in items] == [[1, 2], [1, 2], [2, 2]]
        assert items[1].delay_s == pytest.approx(3, abs=0.01)
        assert (items[2].queue, items[2].priority) == ("q", 6)

    def test_partial_arguments_go_first_and_keywords_are_merged(self, add) -> None:
        partial = add.s(2, y=1).clone((0,), {"y": 3, "z": 4}, countdown=1)

        assert (partial.args, partial.kwargs, partial.options) == ((0, 2), {"y": 3, "z": 4}, {"countdown": 1})

    def test_an_immutable_one_takes_nothing(self, app, add, sent) -> None:
        items = sent(app)

        add.si(2, 2).apply_async((5,), {"z": 1}, countdown=1)

        assert json.loads(items[0].body)[:2] == [[2, 2], {}]
        assert items[0].delay_s is not None

    def test_a_clone_is_independent(self, add) -> None:
        original = add.s(1, 2).set(queue="a")
        original.link(add.s(3))

        clone = original.clone()
        clone.set(queue="b").link(add.s(4))
        clone.kwargs["z"] = 1

        assert (original.options["queue"], len(original.options["link"]), original.kwargs) == ("a", 1, {})
        assert copy.deepcopy(original) == original

    def test_replace_set_and_immutability(self, add) -> None:
        sig = add.s(1, 2)

        assert sig.replace(args=(3, 4)).args == (3, 4)
        assert sig.replace(options={"queue": "q"}).options == {"queue": "q"}
        assert sig.set(immutable=True).immutable is True

    def test_freeze_gives_the_result_in_advance(self, app, add, sent) -> None:
        items = sent(app)
        sig = add.s(1, 2)

        result = sig.freeze()

        assert sig.id == result.id
        assert sig.freeze().id == result.id
        assert sig.apply_async().id == result.id == items[0].id

    def test_links_are_noted_once(self, add) -> None:
        sig = add.s(1, 2)
        callback, errback = add.s(3), add.s(4)

        assert sig.link(callback) is callback
        sig.link(callback)
        assert sig.on_error(errback) is sig
        assert (sig.options["link"], sig.options["link_error"]) == ([callback], [errback])
        with pytest.raises(TypeError, match="link takes a signature"):
            sig.link(add)

    def test_from_names_and_dicts(self, app, add) -> None:
        by_name = signature("proj.add", args=(2, 2), countdown=10, app=app)
        wire = json.loads(json.dumps(by_name))

        assert (by_name.task, by_name.options) == ("proj.add", {"countdown": 10})
        assert signature(wire, app=app)(*()) == 4
        assert maybe_signature(wire, app).apply().get() == 4
        assert maybe_signature(None) is None
        assert app.signature("proj.add", (1, 2))() == 3
        assert isinstance(signature({"task": "a"}), Signature)
        assert signature(by_name) == by_name
        assert pickle.loads(pickle.dumps(by_name)) == by_name

    @pytest.mark.parametrize("wrong", [None, "", 5])
    def test_a_signature_needs_a_task(self, wrong) -> None:
        with pytest.raises(TypeError, match="needs a task"):
            signature(wrong)

    def test_arguments_of_a_registered_task_are_checked_when_it_is_sent(self, add) -> None:
        sig = add.s(1)

        with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
            sig.delay()

    def test_a_task_that_is_not_registered_is_sent_by_name(self, app, sent) -> None:
        items = sent(app)

        app.signature("elsewhere.t", (1,), queue="q").delay()

        assert (items[0].headers["task"], items[0].queue) == ("elsewhere.t", "q")
        with pytest.raises(NotRegistered):
            app.signature("elsewhere.t")()

    def test_times_survive_a_trip_over_the_wire(self, app, add, sent) -> None:
        items = sent(app)
        eta = datetime.now(UTC) + timedelta(hours=1)

        app.signature({"task": "proj.add", "args": [1, 2], "options": {"eta": eta.isoformat()}}).delay()

        assert items[0].headers["eta"] == eta.isoformat(timespec="microseconds")

    def test_tilde_waits(self, add, worker) -> None:
        worker()
        assert ~add.s(2, 2) == 4


class TestLinking:
    def test_callbacks_get_the_result_first(self, app, add, worker) -> None:
        worker()
        first, second = add.s(16), add.si(1, 1)
        results = first.freeze(), second.freeze()

        result = add.apply_async((2, 2), link=[first, second])

        assert result.get(timeout=WAIT) == 4
        assert [each.get(timeout=WAIT) for each in results] == [20, 2]
        assert [child.id for child in result.children] == [each.id for each in results]

    def test_an_errback_of_one_argument_gets_the_id(self, app, worker) -> None:
        seen = []

        @app.task
        def fail():
            raise KeyError("x")

        @app.task
        def error_handler(task_id):
            seen.append((task_id, app.AsyncResult(task_id).state))

        worker()
        handler = error_handler.s()
        handled = handler.freeze()

        result = fail.apply_async(link_error=handler)

        handled.get(timeout=WAIT)
        assert seen == [(result.id, "FAILURE")]

    def test_an_errback_of_three_arguments_is_called_directly(self, app, worker) -> None:
        seen = []

        @app.task
        def fail():
            raise KeyError("x")

        @app.task
        def error_handler(request, exc, traceback):
            seen.append((request.id, repr(exc), "raise KeyError" in traceback))

        mini = worker()
        result = fail.apply_async(link_error=error_handler.s())
        fail.delay().get(timeout=WAIT, propagate=False)  # the one after it, so that the first is through

        assert seen == [(result.id, "KeyError('x')", True)]
        assert len(mini.ran) == 2


class TestChain:
    def test_each_step_gets_the_result_of_the_one_before(self, app, add, mul, worker) -> None:
        worker()

        result = chain(add.s(4, 4) | mul.s(8))()

        assert result.get(timeout=WAIT) == 64
        assert result.parent.get(timeout=WAIT) == 8
        assert result.parent.parent is None

    def test_one_message_carries_the_rest_in_reverse(self, app, add, mul, sent) -> None:
        items = sent(app)

        result = (add.s(1, 1) | mul.s(2) | add.s(3)).apply_async(countdown=5, link=mul.s(9))

        (item,) = items
        rest = embed(item)["chain"]
        assert [step["task"] for step in rest] == ["proj.add", "proj.mul"]
        assert [step["options"]["task_id"] for step in rest] == [result.id, result.parent.id]
        assert item.id == result.parent.parent.id
        assert item.delay_s == pytest.approx(5, abs=0.01)
        assert embed(item)["callbacks"] is None
        assert rest[0]["options"]["link"][0]["task"] == "proj.mul"

    def test_chains_flatten(self, app, add, mul) -> None:
        nested = chain(add.s(1, 1), chain(mul.s(2), chain(add.s(3))), group())

        assert repr(nested) == "proj.add(1, 1) | proj.mul(2) | proj.add(3)"
        assert len(nested) == 3
        assert nested.subtask_type == "chain"

    def test_a_chain_may_be_sent_again(self, app, add, sent) -> None:
        items = sent(app)
        twice = add.s(1, 1) | add.s(2)

        assert twice().id != twice().id
        assert items[0].id != items[1].id

    def test_a_failed_step_is_seen_at_the_end(self, app, add, worker) -> None:
        @app.task
        def fail(x):
            raise KeyError(x)

        worker()

        result = (add.s(1, 1) | fail.s() | add.s(2))()

        with pytest.raises(KeyError, match="2"):
            result.get(timeout=WAIT, interval=0.02)
        assert (result.state, repr(result.result)) == ("FAILURE", "KeyError(2)")

    def test_errbacks_of_a_chain_stand_at_every_step(self, app, add, sent) -> None:
        items = sent(app)

        (add.s(1, 1) | add.s(2)).apply_async(link_error=add.s(0))

        assert embed(items[0])["errbacks"][0]["task"] == "proj.add"
        assert embed(items[0])["chain"][0]["options"]["link_error"][0]["task"] == "proj.add"

    def test_update_page_info(self, app, worker) -> None:
        stored = []
        fetch_page = app.task(name="fetch")(lambda url: f"page of {url}")
        parse_page = app.task(name="parse")(lambda page: page.upper())
        store_page_info = app.task(name="store", ignore_result=True)(lambda info, url: stored.append((info, url)))
        mini = worker()

        (fetch_page.s("u") | parse_page.s() | store_page_info.s("u"))()

        last = app.task(name="last")(lambda: None)
        assert wait_until(lambda: stored), mini.ran
        assert stored == [("PAGE OF U", "u")]
        assert last.name in app.tasks

    def test_partial_arguments_go_to_the_first_step(self, app, add, worker) -> None:
        worker()
        assert (add.s(1) | add.s(2)).delay(10).get(timeout=WAIT) == 13

    def test_a_group_may_be_the_last_step(self, app, add, worker) -> None:
        worker()

        result = (add.s(1, 1) | group(add.s(10), add.s(20))).delay()

        assert isinstance(result, GroupResult)
        assert result.get(timeout=WAIT) == [12, 22]
        assert result.parent.get(timeout=WAIT) == 2

    def test_freezing_and_the_wire(self, app, add, mul, worker) -> None:
        worker()
        frozen = add.s(1, 1) | mul.s(3)
        result = frozen.freeze("last-id")

        again = signature(json.loads(json.dumps(frozen)), app=app)

        assert isinstance(again, chain)
        assert again.apply_async().id == result.id == "last-id"
        assert result.get(timeout=WAIT) == 6

    def test_an_empty_chain_is_refused(self, app) -> None:
        with pytest.raises(ValueError, match="empty chain"):
            chain().apply_async()

    def test_what_is_no_signature_is_refused(self, add) -> None:
        with pytest.raises(TypeError, match="built of signatures"):
            chain(add, add)
        with pytest.raises(TypeError):
            add.s(1) | 5


class TestGroup:
    def test_forms(self, add) -> None:
        pairs = [(2, 2), (4, 4)]

        assert group(add.s(2, 2), add.s(4, 4)) == group([add.s(2, 2), add.s(4, 4)]) == group(add.s(*p) for p in pairs)
        assert repr(group(add.s(1, 1))) == "group([proj.add(1, 1)])"
        assert len(group(add.s(1, 1))) == 1
        assert group(group(add.s(1, 1))) == group(add.s(1, 1))

    def test_all_members_go_in_one_batch_with_their_place(self, app, add, monkeypatch) -> None:
        batches = []
        publisher = app.client.services.publisher
        real = publisher.publish
        monkeypatch.setattr(publisher, "publish", lambda calls: (batches.append(list(calls)), real(calls)))

        result = group(add.s(i, i) for i in range(4)).apply_async(queue="q", priority=2)

        (calls,) = batches
        assert [call.options["group_index"] for call in calls] == [0, 1, 2, 3]
        assert {call.options["group_id"] for call in calls} == {result.id}
        assert {call.options["queue"] for call in calls} == {"q"}
        assert app.client.services.broker.depth(["q"], Deadline.after(5))["q"].ready == 4

    def test_partial_arguments_go_to_every_member(self, app, add, worker) -> None:
        worker()
        assert group(add.s(1), add.s(2))(10).get(timeout=WAIT) == [11, 12]

    def test_an_empty_group(self, app) -> None:
        app.set_current()
        result = group([]).apply_async()
        assert (result.get(), result.ready(), result.successful()) == ([], True, True)

    def test_nested_groups_and_chains(self, app, add, mul, worker) -> None:
        worker()

        result = group(add.s(1, 1), add.s(2, 2) | mul.s(10), group(add.s(3, 3), mul.s(3, 3))).delay()

        assert result.get(timeout=WAIT) == [2, 40, 6, 9]

    def test_links_stand_at_every_member(self, add) -> None:
        both = group(add.s(1, 1), add.s(2, 2))
        both.link(add.s(5))
        both.link_error(add.s(6))

        assert [len(member.options["link"]) for member in both.tasks] == [1, 1]
        assert [len(member.options["link_error"]) for member in both.tasks] == [1, 1]

    def test_freezing_and_the_wire(self, app, add, worker) -> None:
        worker()
        frozen = group(add.s(1, 1), add.s(2, 2))
        result = frozen.freeze()

        again = signature(json.loads(json.dumps(frozen)), app=app)

        assert again.apply_async() == result
        assert result.get(timeout=WAIT) == [2, 4]

    def test_a_group_as_callback(self, app, add, worker) -> None:
        worker()
        callbacks = group(add.s(10), add.s(20))
        result = callbacks.freeze()

        add.apply_async((1, 1), link=callbacks)

        assert result.get(timeout=WAIT) == [12, 22]

    def test_clones_of_canvases_are_independent(self, add, mul) -> None:
        steps, members = add.s(1) | mul.s(2), group(add.s(1), add.s(2))

        changed = steps.clone((5,), {"y": 3}), members.clone((5,), {"y": 3})
        for canvas in changed:
            canvas.tasks[0].set(queue="q")

        assert (changed[0].args, changed[0].tasks[0].kwargs) == ((5,), {"y": 3})
        assert [member.kwargs for member in changed[1].tasks] == [{"y": 3}, {"y": 3}]
        assert [each.tasks[0].options for each in (steps, members)] == [{}, {}]
        assert (bool(steps), bool(members)) == (True, True)


def wait_until(ready) -> bool:
    import time

    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.005)
    return False
