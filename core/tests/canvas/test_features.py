"""features.md 1.2, 1.26, 2.1 and 2.2, sentence by sentence, as far as other files of this folder do not."""

import itertools
import json
import time

import pytest

from kernel import (
    AsyncResult,
    EagerResult,
    GroupResult,
    Signature,
    StampingVisitor,
    Task,
    chain,
    chord,
    chunks,
    group,
    maybe_signature,
    signature,
    xmap,
    xstarmap,
)
from kernel.app.result import result_from_tuple
from kernel.errors import IncompleteStream
from kernel.testing import start_worker

WAIT = 30


class Proj:
    """The tasks of the examples."""

    def __init__(self, app):
        self.app, self.seen = app, []
        self.add = app.task(name="proj.add")(lambda x, y: x + y)
        self.mul = app.task(name="proj.mul")(lambda x, y: x * y)
        self.total = app.task(name="proj.total")(sum)
        self.same = app.task(name="proj.same")(lambda x: x)
        proj = self

        @app.task(name="proj.headers", bind=True)
        def headers(self, *args):
            return proj._headers(self, *args)

        @app.task(name="proj.becomes", bind=True)
        def becomes(self, sig, *args):
            proj.seen.append(self.request.replaced_task_nesting)
            return self.replace(signature(sig, app=app))

        self.headers, self.becomes = headers, becomes
        self.fail = app.task(name="proj.fail")(self._fail)
        self.told = app.task(name="proj.told")(
            lambda request, exc, traceback: self.seen.append((request.id, repr(exc)))
        )

    def _told(self, request, exc, traceback):
        self.seen.append((request.id, repr(exc)))

    def _headers(self, task, *args):
        self.seen.append((task.request.stamped_headers, dict(task.request.stamps), task.request.retries))
        if task.request.headers and task.request.headers.get("again") and not task.request.retries:
            raise task.retry(countdown=0)
        return args[0] if args else None

    def _fail(self, *args):
        raise KeyError("no")


@pytest.fixture
def proj(app):
    return Proj(app)


@pytest.fixture
def running(proj, working):
    working(proj.app)
    return proj


class TestSignatures:
    def test_dict_form_and_types(self, proj):
        sig = chord([proj.add.s(1, 1)], proj.total.s()) | proj.add.s(1)
        wire = json.loads(json.dumps(sig))

        again = signature(wire, app=proj.app)

        assert isinstance(again, chord)
        assert isinstance(again.body, chain)
        assert again == Signature.from_dict(wire, app=proj.app)
        assert wire["task"] == "celery.chord"
        assert wire["subtask_type"] == "chord"
        assert wire["kwargs"]["header"]["subtask_type"] == "group"
        assert maybe_signature(wire, proj.app) == again

    def test_a_type_of_ones_own(self, proj):
        @Signature.register_type
        class shouted(Signature):
            def __repr__(self):
                return super().__repr__().upper()

        data = {**proj.add.s(1, 2), "subtask_type": "shouted"}
        assert repr(signature(data)) == "PROJ.ADD(1, 2)"

    def test_flatten_links(self, proj):
        sig = proj.add.s(1, 1)
        sig.link(proj.add.s(2))
        sig.options["link"][0].link(proj.mul.s(3))
        assert [each.task for each in sig.flatten_links()] == ["proj.add", "proj.add", "proj.mul"]

    def test_members_that_are_one_object_get_ids_of_their_own(self, running):
        same = running.add.s(1, 1)
        result = group([same] * 3)
        result.freeze()
        assert len({member.id for member in result.tasks}) == 3
        assert chord([same] * 3)(running.total.s()).get(timeout=WAIT) == 6

    def test_countdown_on_any_part(self, running):
        began = time.monotonic()
        late = running.add.signature((1,), countdown=0.3)
        assert (running.add.s(1, 1) | late | group(running.add.s(1), late.clone()) | running.total.s())().get(WAIT) == 8
        assert time.monotonic() - began >= 0.6

    def test_skew(self, proj):
        skewed = group(proj.add.s(i, i) for i in range(3)).skew(1, step=2)
        assert [each.options["countdown"] for each in skewed.tasks] == [1, 3, 5]

    def test_errbacks_of_a_chain_run_once_whichever_step_fails(self, running):
        for whole in (
            running.fail.s() | running.add.s(1) | running.add.s(2),
            running.add.s(1, 1) | running.fail.s() | group(running.add.s(1), running.add.s(2)) | running.total.s(),
            running.add.s(1, 1) | group(running.add.s(1), running.fail.s()) | running.total.s() | running.add.s(1),
        ):
            result = whole.apply_async(link_error=running.told.s())
            assert result.get(timeout=WAIT, propagate=False) is not None
            running.add.delay(1, 1).get(timeout=WAIT)
            running.app.client.services  # noqa: B018 - the worker is through with it
            deadline = time.monotonic() + WAIT
            while not running.seen and time.monotonic() < deadline:
                time.sleep(0.005)
            assert len(running.seen) == 1
            running.seen.clear()


class TestOwners:
    def test_an_application_sends_what_knows_none(self, running):
        app = running.app
        add, total = signature("proj.add", (1, 2)), signature("proj.total")
        same, pairs = signature("proj.same"), [(1, 2), (3, 4)]
        sent = {
            "chain": (chain(add, signature("proj.add", (4,)), app=app), 7),
            "chain of one": (chain(add.clone(), app=app), 3),
            "group": (group([add.clone(), add.clone()], app=app), [3, 3]),
            "chord": (chord([add.clone(), add.clone()], total, app=app), 6),
            "map": (xmap(same, [1, 2], app=app), [1, 2]),
            "starmap": (xstarmap(signature("proj.add"), pairs, app=app), [3, 7]),
            "chunks": (chunks(signature("proj.add"), pairs, 1, app=app), [[3], [7]]),
        }
        for name, (expression, value) in sent.items():
            assert expression.app is app, name
            assert expression.apply_async().get(timeout=WAIT) == value, name


class TestMapping:
    def test_map_starmap_and_chunks(self, running):
        pairs = [(1, 2), (3, 4), (5, 6)]
        assert ~running.same.map([1, 2, 3]) == [1, 2, 3]
        assert ~running.add.starmap(pairs) == [3, 7, 11]
        assert running.add.chunks(pairs, 2)().get(timeout=WAIT) == [[3, 7], [11]]
        assert ~(running.add.chunks(pairs, 2).group() | running.same.s()) == [[3, 7], [11]]
        assert ~(running.add.starmap(pairs) | running.total.s()) == 21
        assert xmap(running.same.s(), iter([1])).apply().get() == [1]
        assert chunks(running.add.s(), pairs, 2).apply().get() == [[3, 7], [11]]

    def test_one_message_and_its_form(self, proj):
        assert repr(proj.same.map([1])) == "[proj.same(x) for x in [1]]"
        assert repr(xstarmap(proj.add.s(), [(1, 2)])) == "[proj.add(*x) for x in [(1, 2)]]"
        wire = json.loads(json.dumps(proj.add.starmap([(1, 2)])))
        assert (wire["task"], wire["subtask_type"], wire["immutable"]) == ("celery.starmap", None, True)
        assert wire["kwargs"]["it"] == [[1, 2]]
        assert json.loads(json.dumps(proj.add.chunks([(1, 2)], 1)))["kwargs"]["n"] == 1
        with pytest.raises(ValueError, match="1 or more"):
            proj.add.chunks([], 0)

    def test_built_in_tasks_of_other_clients(self, running):
        tasks, app = running.app.tasks, running.app
        sigs = [running.add.s(1, 1), running.add.s(2, 2)]
        sent = {
            "celery.group": ((), {"tasks": sigs, "result": None, "group_id": None, "partial_args": ()}),
            "celery.chord": ((), {"header": sigs, "body": running.total.s()}),
            "celery.chain": ((), {"tasks": [running.add.s(1, 1), running.add.s(2)]}),
            "celery.chunks": ((), {"task": running.add.s(), "it": [[1, 1], [2, 2]], "n": 1}),
        }
        values = {"celery.group": [2, 4], "celery.chord": 6, "celery.chain": 4, "celery.chunks": [[2], [4]]}
        for name, (args, kwargs) in sent.items():
            form = tasks[name].apply_async(args, kwargs).get(timeout=WAIT)
            assert result_from_tuple(form, app).get(timeout=WAIT) == values[name]
        assert tasks["celery.accumulate"].delay(1, 2).get(timeout=WAIT) == [1, 2]
        assert tasks["celery.backend_cleanup"].apply().get() >= 0

    def test_async_def_tasks_may_be_mapped(self, proj, working):
        @proj.app.task(name="proj.later")
        async def later(x):
            return x + 1

        working(proj.app)
        assert ~later.map([1, 2]) == [2, 3]


class TestStamping:
    class Visitor(StampingVisitor):
        def on_signature(self, sig, **headers):
            return {"one": sig.task.rpartition(".")[2], "stamped_headers": ["one"], "no": 1}

        def on_chord_body(self, sig, **headers):
            return {"body": True}

        def on_group_start(self, group, **headers):
            return {"inside": len(group.tasks)}

        def on_callback(self, callback, **headers):
            return {"linked": 1}

    def test_every_part_is_stamped(self, proj):
        linked = proj.same.s()
        whole = proj.add.s(1, 1) | group(proj.add.s(1), proj.mul.s(2)) | proj.total.s()
        whole.tasks[0].link(linked)

        whole.stamp(self.Visitor(), all="x")

        first, fan = whole.tasks
        assert first.options["stamped_headers"] == ["all", "one"]
        assert (first.options["all"], first.options["one"]) == ("x", "add")
        assert [(m.options["inside"], m.options["one"]) for m in fan.tasks] == [(2, "add"), (2, "mul")]
        assert fan.body.options["body"] is True
        assert linked.options["linked"] == 1
        assert "no" not in first.options

    def test_appending(self, proj):
        sig = proj.add.s(1, 1).stamp(who="a")
        assert sig.clone().stamp(who="b").options["who"] == "b"
        assert sig.stamp(append_stamps=True, who={"b"}).options["who"] == ["a", "b"]

    def test_stamps_travel_and_survive_retry_and_replace(self, running):
        running.headers.signature((5,), headers={"again": True}).stamp(mark="m").apply_async().get(timeout=WAIT)
        (running.headers.s(1) | running.headers.s()).stamp(mark="n").apply_async().get(timeout=WAIT)
        running.becomes.s(running.headers.s(2)).stamp(mark="o").apply_async().get(timeout=WAIT)

        stamped = [each for each in running.seen if isinstance(each, tuple)]
        assert [(names, stamps) for names, stamps, _ in stamped] == [
            (["mark"], {"mark": mark}) for mark in ("m", "m", "n", "n", "o")
        ]
        assert [retries for *_, retries in stamped][:2] == [0, 1]


class TestReplace:
    def test_whatever_waits_gets_the_result_of_the_replacement(self, running):
        add, total, becomes = running.add, running.total, running.becomes
        callback = running.same.s()
        called = callback.freeze()
        result = becomes.apply_async((add.s(1, 1) | add.s(2),), link=callback)

        assert result.get(timeout=WAIT) == 4
        assert called.get(timeout=WAIT) == 4
        assert ~(becomes.s(group(add.s(1, 1), add.s(2, 2))) | total.s()) == 6
        assert ~chord([becomes.s(group(add.s(1, 1), add.s(2, 2)) | total.s()), add.s(1, 1)], running.same.s()) == [6, 2]
        assert ~becomes.s(becomes.s(add.s(5, 5))) == 10
        assert running.seen[-2:] == [0, 1]

    def test_errbacks_are_told_once(self, running):
        result = running.becomes.apply_async((running.fail.s() | running.add.s(1),), link_error=running.told.s())
        with pytest.raises(KeyError):
            result.get(timeout=WAIT)
        deadline = time.monotonic() + WAIT
        while len(running.seen) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert [each[1] for each in running.seen if isinstance(each, tuple)] == ["KeyError('no')"]

    def test_eager_and_direct(self, proj):
        assert proj.becomes.apply((proj.add.s(1, 1) | proj.add.s(2),)).get() == 4
        assert proj.becomes.apply((group(proj.add.s(1, 1), proj.add.s(2, 2)),)).get() == [2, 4]
        assert proj.becomes(proj.add.s(1, 1)) == 2
        with pytest.raises(TypeError, match="replace takes a signature"):
            proj.add.replace(5)

    def test_on_replace_may_change_it(self, app, working):
        class Curious(Task):
            def on_replace(self, sig):
                return super().on_replace(sig.clone((10,)))

        proj = Proj(app)
        becomes = app.task(name="curious", base=Curious, bind=True)(lambda self: self.replace(proj.add.s(1)))
        working(app)
        assert becomes.delay().get(timeout=WAIT) == 11


class TestResults:
    def test_parents(self, running):
        result = (
            running.add.s(1, 1) | group(running.add.s(1), running.add.s(2)) | running.total.s() | running.add.s(1)
        )()
        assert result.get(timeout=WAIT) == 8
        body = result.parent
        assert isinstance(body.parent, GroupResult)
        assert body.parent.parent.get(timeout=WAIT) == 2
        assert result_from_tuple(json.loads(json.dumps(result.as_tuple())), running.app).parent.parent == body.parent

    def test_the_tree_that_a_task_started(self, running):
        result = (running.add.s(1, 1) | running.add.s(2) | group(running.add.s(1), running.add.s(2)))()
        assert result.get(timeout=WAIT) == [5, 6]
        first = result.parent.parent

        found = list(first.collect(timeout=WAIT))

        assert [value for _, value in found] == [2, 4, [5, 6], 5, 6]
        assert first.get_leaf() == 6
        assert [parent and parent.id for parent, _ in first.iterdeps()][:2] == [None, first.id]
        graph = first.graph
        assert len(graph) == 5
        assert graph.topsort()[0] == first
        assert graph.valency_of(first) == 4
        assert f'"{first.id}" -> "{result.parent.id}";' in graph.to_dot()
        assert [node for node in graph if node not in graph.edges()] == result.results

    def test_a_tree_that_is_not_complete(self, proj):
        unknown = AsyncResult("nobody", proj.app)
        with pytest.raises(IncompleteStream):
            list(unknown.iterdeps())
        assert list(unknown.iterdeps(intermediate=True)) == [(None, unknown)]
        assert list(unknown.collect(intermediate=True)) == [(unknown, None)]

    def test_members_of_a_group_result(self, running):
        result = group(running.add.s(1, 1), running.add.s(2, 2))()
        other = running.add.delay(5, 5)
        result.add(other)
        result.add(other)
        assert result.join(timeout=WAIT) == [2, 4, 10]
        result.remove(other.id)
        with pytest.raises(KeyError):
            result.remove(other)
        assert result.join_native(timeout=WAIT) == [2, 4]
        assert sorted(result.iterate(timeout=WAIT)) == [2, 4]
        assert result.completed_count() == 2
        assert result.maybe_throw() is None

    def test_eager_forms(self, proj):
        result = (proj.add.s(1, 1) | group(proj.add.s(1), proj.add.s(2)) | proj.total.s()).apply()
        assert isinstance(result, EagerResult)
        assert result.get() == 7
        assert [member.get() for member in result.parent.results] == [3, 4]
        assert result.parent.parent.get() == 2


class TestMessages:
    def bytes_of(self, app, expression):
        taken = []
        broker = app.client.services.broker
        real = broker.publish
        broker.publish = lambda items, deadline: (taken.extend(items), real(items, deadline))[1]
        try:
            expression.apply_async()
        finally:
            broker.publish = real
        return [len(item.body) for item in taken]

    def test_sizes_grow_with_the_number_of_nodes_and_not_faster(self, proj):
        """Nested chords, the form that grows geometrically elsewhere: each level adds as much as the one before."""

        def nested(depth):
            inner = proj.total.s() if depth == 0 else nested(depth - 1)
            return chord(
                [proj.add.s(1, 1), proj.add.s(2, 2)], proj.same.s() | group(proj.add.s(1), proj.add.s(2)) | inner
            )

        sizes = [max(self.bytes_of(proj.app, nested(depth))) for depth in range(6)]
        steps = [after - before for before, after in itertools.pairwise(sizes)]
        assert max(steps) <= 1.1 * min(steps)
        (long,) = self.bytes_of(proj.app, chain(proj.add.s(1, 1), *(proj.add.s(1) for _ in range(100))))
        assert long < 100 * 300

    def test_a_member_as_other_implementations_read_it(self, proj):
        taken = []
        broker = proj.app.client.services.broker
        real = broker.publish
        broker.publish = lambda items, deadline: (taken.extend(items), real(items, deadline))[1]
        result = chord([proj.add.s(1, 1), proj.add.s(2, 2) | proj.add.s(3)])(proj.total.s())
        broker.publish = real
        first, second = taken
        embed = json.loads(first.body)[2]
        assert first.headers["group"] == result.parent.id
        assert first.headers["group_index"] == 0
        assert embed["chord"]["task"] == "proj.total"
        assert embed["chord"]["options"]["task_id"] == result.id
        assert embed["chord"]["chord_size"] == 2
        assert second.headers["group"] is None
        (last,) = json.loads(second.body)[2]["chain"]
        assert (last["options"]["group_id"], last["options"]["group_index"]) == (result.parent.id, 1)
        assert last["options"]["chord"]["options"]["task_id"] == result.id


def test_a_nested_chord_of_such_a_client(app, working):
    """Its groups at the end of members count one by one, and become a list for the body."""
    proj = Proj(app)
    body = proj.same.s()
    result = body.freeze()
    inner = [["inner", [["before", None], None]], [[["one", None], None], [["two", None], None]]]
    app.client.results.save_group("g", [["g", None], [inner, [["three", None], None]]])
    working(app)
    for index, one in enumerate(("one", "two")):
        proj.add.s(index, 1).set(task_id=one, group_id="g", group_index=index, chord=dict(body)).delay()
    proj.add.s(5, 5).set(task_id="three", group_id="g", group_index=1, chord=dict(body)).delay()
    assert result.get(timeout=WAIT) == [[1, 2], 10]


def test_a_chord_of_a_client_that_announces_its_size_elsewhere(app, working):
    """Such a member carries no size: the header is saved under the group's id (wire.md 11.3)."""
    proj = Proj(app)
    body = proj.total.s()
    result = body.freeze()
    ids = ["one", "two"]
    structure = [["g", None], [[[one, None], None] for one in ids]]
    app.client.results.save_group("g", structure)
    with start_worker(app, concurrency=2, loglevel="CRITICAL"):
        for index, one in enumerate(ids):
            proj.add.s(index, 1).set(task_id=one, group_id="g", group_index=index, chord=dict(body)).delay()
        assert result.get(timeout=WAIT) == 3
