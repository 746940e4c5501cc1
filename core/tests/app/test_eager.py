"""Eager runs, and retries and handlers as the body sees them (features.md 1.19, 1.21, 1.23, 2.2)."""

import pytest

from kernel import EagerResult, GroupResult, Task, chain, current_task, group, states
from kernel.errors import EncodeError, Ignore, MaxRetriesExceededError, NotRegistered, Reject, Retry
from kernel.model.context import Request, Running, current


@pytest.fixture
def add(app):
    return app.task(name="proj.add")(lambda x, y: x + y)


def test_apply_runs_here(app, add, sent) -> None:
    items = sent(app)

    result = add.apply((2, 2), task_id="mine")

    assert isinstance(result, EagerResult)
    assert repr(result) == "<EagerResult: mine>"
    assert (result.get(), result.result, result.state, result.ready()) == (4, 4, "SUCCESS", True)
    assert items == []


def test_a_failure_is_kept_or_thrown(app) -> None:
    @app.task
    def fail():
        raise KeyError("x")

    result = fail.apply()

    assert (result.state, result.failed()) == ("FAILURE", True)
    assert "raise KeyError" in result.traceback
    assert isinstance(result.get(propagate=False), KeyError)
    for raise_it in (result.get, lambda: fail.apply(throw=True)):
        with pytest.raises(KeyError):
            raise_it()
    app.conf.task_eager_propagates = True
    with pytest.raises(KeyError):
        fail.apply()


def test_the_request_of_an_eager_run(app) -> None:
    @app.task(bind=True)
    def dump(self, x, y=0):
        return self.request

    request = dump.apply((1,), {"y": 2}, task_id="i", headers={"h": 1}, shadow="s").get()

    assert (request.id, request.args, request.kwargs) == ("i", (1,), {"y": 2})
    assert (request.is_eager, request.called_directly, request.retries) == (True, False, 0)
    assert (request.headers, request.shadow, request.root_id) == ({"h": 1}, "s", "i")
    assert "Executing i".endswith(f"{request.id}")


def test_a_plain_call_has_an_empty_request(app) -> None:
    @app.task(bind=True)
    def dump(self, x):
        return self.request.id, self.request.called_directly, self.request.args

    assert dump(1) == (None, True, (1,))
    assert dump.request.called_directly
    assert dump.request.id is None


@pytest.fixture
def calls():
    return []


@pytest.fixture
def noting(calls):
    """A base class whose handlers note that they were called."""

    class MyTask(Task):
        def before_start(self, task_id, args, kwargs):
            calls.append(("before_start", task_id, args, kwargs))

        def on_success(self, retval, task_id, args, kwargs):
            calls.append(("on_success", retval, task_id))

        def on_failure(self, exc, task_id, args, kwargs, einfo):
            calls.append(("on_failure", repr(exc), task_id, "KeyError" in einfo.traceback))

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            calls.append(("on_retry", repr(exc), task_id))

        def after_return(self, status, retval, task_id, args, kwargs, einfo):
            calls.append(("after_return", status, task_id))

    return MyTask


def test_handlers_run_in_order(app, noting, calls) -> None:
    @app.task(base=noting)
    def good(x, y):
        return x + y

    @app.task(base=noting)
    def bad(x, y):
        raise KeyError

    @app.task(base=noting, autoretry_for=(ValueError,), max_retries=1, default_retry_delay=0)
    def flaky(x):
        raise ValueError(x)

    good.apply((1, 2), task_id="g")
    assert calls == [("before_start", "g", (1, 2), {}), ("on_success", 3, "g"), ("after_return", "SUCCESS", "g")]
    calls.clear()
    bad.apply((1, 2), task_id="b")
    assert calls[1:] == [("on_failure", "KeyError()", "b", True), ("after_return", "FAILURE", "b")]
    calls.clear()
    flaky.apply((1,), task_id="f")
    assert calls == [
        ("before_start", "f", (1,), {}),
        ("on_retry", "ValueError(1)", "f"),
        ("after_return", "RETRY", "f"),
        ("before_start", "f", (1,), {}),
        ("on_failure", "ValueError(1)", "f", False),
        ("after_return", "FAILURE", "f"),
    ]


def test_a_retry_runs_again_with_one_retry_more(app) -> None:
    seen = []

    @app.task(bind=True, max_retries=3)
    def flaky(self, x):
        seen.append((self.request.id, self.request.retries))
        if self.request.retries < 2:
            raise self.retry(exc=OSError(x), countdown=3600)
        return "done"

    assert flaky.apply((1,), task_id="r").get() == "done"
    assert seen == [("r", 0), ("r", 1), ("r", 2)]


def test_after_the_last_retry_the_cause_is_raised(app) -> None:
    @app.task(bind=True, max_retries=1)
    def with_cause(self):
        raise self.retry(exc=OSError("no"))

    @app.task(bind=True, max_retries=1)
    def without(self):
        self.retry()

    @app.task(bind=True, default_retry_delay=30 * 60)
    def render_scene(self, path):  # the exception in the first place, as documents show it
        try:
            raise OSError(path)
        except Exception as exc:
            raise self.retry(exc, countdown=10)  # noqa: B904 - as documents show it

    assert isinstance(with_cause.apply().result, OSError)
    assert isinstance(without.apply().result, MaxRetriesExceededError)
    assert isinstance(render_scene.apply(("p",)).result, OSError)


def test_retry_without_throwing(app) -> None:
    @app.task(bind=True)
    def lazy(self):
        if self.request.retries:
            return "second"
        self.retry(throw=False)
        return "ignored"

    assert lazy.apply().get() == "second"


def test_retry_of_a_plain_call_raises_the_cause(app) -> None:
    @app.task(bind=True)
    def send_twitter_status(self, oauth, tweet):
        try:
            raise ConnectionError(tweet)
        except ConnectionError as exc:
            raise self.retry(exc=exc)  # noqa: B904 - likewise

    @app.task(bind=True)
    def bare(self):
        try:
            raise ConnectionError("inner")
        except ConnectionError:
            self.retry()

    @app.task(bind=True)
    def nothing(self):
        self.retry()

    with pytest.raises(ConnectionError):
        send_twitter_status("o", "t")
    with pytest.raises(ConnectionError, match="inner"):
        bare()
    with pytest.raises(Retry):
        nothing()


def test_semipredicates(app) -> None:
    @app.task(bind=True)
    def some_task(self):
        raise Ignore

    @app.task(bind=True, acks_late=True)
    def rejecting(self):
        raise Reject("no", requeue=False)

    assert some_task.apply().state == states.IGNORED
    assert rejecting.apply().state == states.REJECTED


def test_callbacks_and_errbacks_run_here_too(app, add) -> None:
    seen = []

    @app.task
    def note(value):
        seen.append(value)

    @app.task
    def handler(request, exc, traceback):
        seen.append((request.id, repr(exc)))

    @app.task
    def fail():
        raise KeyError("x")

    add.apply((2, 2), link=[add.s(16) | note.s(), note.s()])
    fail.apply(task_id="f", link_error=handler.s())
    fail.apply(task_id="g", link_error=note.s())

    assert seen == [4, 20, ("f", "KeyError('x')"), "g"]


def test_canvas_here(app, add) -> None:
    mul = app.task(name="mul")(lambda x, y: x * y)

    result = chain(add.s(4, 4), mul.s(8)).apply()
    many = group(add.s(i, i) for i in range(3)).apply()

    assert (result.get(), result.parent.get()) == (64, 8)
    assert isinstance(many, GroupResult)
    assert many.get() == [0, 2, 4]
    assert add.s(1).apply((2,)).get() == 3


def test_a_chain_that_breaks_here(app, add) -> None:
    @app.task
    def fail(x):
        raise KeyError(x)

    result = chain(add.s(1, 1), fail.s(), add.s(1)).apply()

    with pytest.raises(KeyError):
        result.get()


def test_a_follow_up_that_is_not_registered(app, add) -> None:
    result = (add.s(1, 1) | app.signature("elsewhere.t")).apply()

    with pytest.raises(NotRegistered):
        result.get()


class TestAlwaysEager:
    @pytest.fixture
    def app(self, make_app):
        return make_app(task_always_eager=True)

    def test_every_way_of_calling(self, app, add, sent) -> None:
        items = sent(app)

        assert add.delay(2, 2).get() == 4
        assert add.apply_async((2, 2), countdown=60).get() == 4
        assert add.s(2, 2).delay().get() == 4
        assert (add.s(2, 2) | add.s(3))().get() == 7
        assert group(add.s(i, i) for i in range(3))().get() == [0, 2, 4]
        assert items == []

    def test_arguments_pass_through_the_serializer(self, app) -> None:
        kind = app.task(name="kind")(lambda value: type(value).__name__)

        assert kind.delay((1, 2)).get() == "list"
        assert kind.apply(((1, 2),)).get() == "tuple"
        with pytest.raises(EncodeError):
            kind.delay(object())

    def test_the_link_is_run(self, app, add) -> None:
        seen = []
        note = app.task(name="note")(seen.append)

        add.apply_async((2, 2), link=note.s())

        assert seen == [4]

    def test_eager_results_may_be_stored(self, make_app) -> None:
        app = make_app(task_always_eager=True, task_store_eager_result=True)
        add = app.task(name="add")(lambda x, y: x + y)

        result = add.delay(2, 2)

        assert app.AsyncResult(result.id).get(timeout=5) == 4

    def test_they_are_not_stored_by_default(self, app, add) -> None:
        @app.task(bind=True)
        def busy(self):
            self.update_state(state="PROGRESS", meta=1)
            return 1

        assert busy.delay().get() == 1
        assert app.AsyncResult(add.delay(2, 2).id).state == "PENDING"

    def test_subtasks_of_eager_tasks_may_be_waited_for(self, app, add) -> None:
        @app.task
        def outer():
            return add.delay(1, 1).get()

        assert outer.delay().get() == 2


def test_the_current_task(app) -> None:
    @app.task
    def who():
        return current_task.name, current_task.request.id, bool(current_task), repr(current_task)

    assert who.apply(task_id="i").get() == (who.name, "i", True, repr(who))
    assert not current_task
    assert repr(current_task) == "<no current task>"
    with pytest.raises(AttributeError, match="no task runs here"):
        _ = current_task.name


@pytest.mark.parametrize(("inherit", "priority"), [(True, 7), (False, None)])
def test_a_called_task_may_take_the_priority_of_its_caller(make_app, sent, inherit, priority) -> None:
    app = make_app(task_inherit_parent_priority=inherit)
    items = sent(app)
    parent = app.task(name="parent")(lambda: app.send_task("child"))
    running = Running(parent, Request(id="p", delivery_info={"priority": 7}, called_directly=False))
    token = current.set(running)
    try:
        app.send_task("child")
        app.send_task("child", priority=1)
    finally:
        current.reset(token)

    assert [item.priority for item in items] == [priority, 1]


def test_results_may_be_added_to_the_trail(app) -> None:
    @app.task(bind=True)
    def parent(self):
        self.add_trail(app.AsyncResult("child"))
        return self.request.children

    assert parent.apply().get() == [[["child", None], None]]


def test_async_def_tasks(app) -> None:
    @app.task
    async def double(x):
        return 2 * x

    assert double.apply((4,)).get() == 8


def test_ctrl_c_in_an_eager_run_is_the_callers(app) -> None:
    @app.task
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.apply()


def test_forgetting_an_eager_result(app, add) -> None:
    result = add.apply((1, 1))
    result.forget()
    assert result.result is None
