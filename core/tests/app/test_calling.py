"""The calling API and what goes on the wire (features.md 1.1, 1.6 to 1.8, 1.10 to 1.14; wire.md 1)."""

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from kernel import Binding, Exchange, Kernel, Queue, Task
from kernel.app.executors import ExecutorOptions, InheritingFactory
from kernel.contracts import Deadline
from kernel.engine.message_properties import EXPIRY_GRACE_S
from kernel.errors import EncodeError, ImproperlyConfigured, QueueNotFound
from kernel.errors.warnings import AlwaysEagerIgnored

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HEADERS = [
    "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
    "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers",
    "stamps",
]  # fmt: skip


@pytest.fixture
def add(app: Kernel) -> Task:
    @app.task(name="proj.add")
    def add(x, y):
        return x + y

    return add


def body_of(item):
    return json.loads(item.body)


def test_the_message_of_a_plain_call(app, add, sent) -> None:
    items = sent(app)

    result = add.delay(2, y=3)

    (item,) = items
    assert UUID4.fullmatch(result.id)
    assert list(item.headers) == HEADERS
    assert dict(item.headers) == {
        "lang": "py",
        "task": "proj.add",
        "id": result.id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": result.id,
        "parent_id": None,
        "argsrepr": "(2,)",
        "kwargsrepr": "{'y': 3}",
        "origin": f"gen{os.getpid()}@{os.uname().nodename}",
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    assert body_of(item) == [[2], {"y": 3}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    assert (item.queue, item.exchange, item.routing_key) == ("kernel", "", "kernel")
    assert (item.id, item.correlation_id, item.persistent) == (result.id, result.id, True)
    assert (item.content_type, item.content_encoding) == ("application/json", "utf-8")
    assert (item.priority, item.delay_s, item.ttl_s, item.properties) == (None, None, None, {})


def test_delay_is_apply_async_with_starred_arguments(app, add, sent) -> None:
    items = sent(app)

    add.delay(1, 2)
    add.apply_async((1, 2))
    add.apply_async(args=[1], kwargs={"y": 2})
    add.s(1, y=2).apply_async()

    assert [body_of(item)[:2] for item in items] == [[[1, 2], {}], [[1, 2], {}], [[1], {"y": 2}], [[1], {"y": 2}]]


def test_the_forms_of_the_cheat_sheet(app, sent) -> None:
    @app.task
    def T(arg=None, kwarg=None): ...

    items, now = sent(app), datetime.now(UTC)
    T.delay("arg", kwarg="value")
    T.apply_async(("arg",), {"kwarg": "value"})
    T.apply_async(countdown=10)
    T.apply_async(eta=now + timedelta(seconds=10))
    T.apply_async(countdown=60, expires=120)
    T.apply_async(expires=now + timedelta(days=2))
    T.apply_async(task_id="my_own_task_id")
    T.apply_async(queue="priority.high")

    assert body_of(items[0])[:2] == body_of(items[1])[:2] == [["arg"], {"kwarg": "value"}]
    assert items[2].delay_s == pytest.approx(10, abs=0.01)
    assert items[3].delay_s == pytest.approx(10, abs=2)
    assert items[4].delay_s == pytest.approx(60, abs=0.01)
    assert items[4].ttl_s == pytest.approx(120 + EXPIRY_GRACE_S, abs=0.01)
    assert items[5].ttl_s == pytest.approx(2 * 86400 + EXPIRY_GRACE_S, abs=2)
    assert items[6].id == "my_own_task_id"
    assert items[7].queue == "priority.high"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda add: add.delay(8), "add() missing 1 required positional argument: 'y'"),
        (lambda add: add.delay(), "add() missing 2 required positional arguments: 'x' and 'y'"),
        (lambda add: add.delay(1, 2, 3), "add() takes 2 positional arguments but 3 were given"),
        (lambda add: add.delay(1, z=2), "add() got an unexpected keyword argument 'z'"),
        (lambda add: add.delay(1, 2, x=2), "add() got multiple values for argument 'x'"),
    ],
)
def test_wrong_arguments_are_refused_in_pythons_words(add, call, message) -> None:
    def plain(x, y): ...

    with pytest.raises(TypeError) as caught:
        call(add)
    assert str(caught.value) == message


def test_a_bound_task_does_not_count_itself(app) -> None:
    @app.task(bind=True)
    def add(self, x, y): ...

    with pytest.raises(TypeError, match=re.escape("add() missing 1 required positional argument: 'y'")):
        add.delay(8)


def test_keyword_only_and_positional_only_parameters(app, sent) -> None:
    items = sent(app)

    @app.task
    def f(a, b=2, /, *rest, c, d=4, **others): ...

    f.delay(1, c=3)
    f.delay(1, 2, 3, 4, c=3, e=5)
    with pytest.raises(TypeError, match=re.escape("f() missing 1 required keyword-only argument: 'c'")):
        f.delay(1)
    assert len(items) == 2


@pytest.mark.parametrize("switch", ["task", "app"])
def test_the_check_can_be_turned_off(make_app, sent, switch) -> None:
    app = make_app(strict_typing=switch == "task")
    items = sent(app)

    @app.task(typing=switch == "app")
    def add(x, y): ...

    add.delay(8)
    assert len(items) == 1


def test_args_must_be_a_list_or_tuple(add) -> None:
    with pytest.raises(TypeError, match="Task args must be a list or tuple, not int"):
        add.apply_async(1, 2)
    with pytest.raises(TypeError, match="Task args must be a list or tuple, not str"):
        add.apply_async("ab")
    with pytest.raises(TypeError, match="Task kwargs must be a mapping"):
        add.apply_async((1,), [2])


def test_an_unknown_option_is_refused_with_a_suggestion(add) -> None:
    with pytest.raises(TypeError, match=r"Unknown option 'coutdown' of a call of proj\.add\. Did you mean 'countdown'"):
        add.apply_async((1, 2), coutdown=3)
    with pytest.raises(TypeError, match=re.escape("properties={...}")):
        add.apply_async((1, 2), MessageGroupId="a")


def test_options_that_are_none_are_not_given(app, add, sent) -> None:
    items = sent(app)

    add.apply_async((1, 2), countdown=None, queue=None, priority=None, expires=None, task_id=None)

    assert (items[0].queue, items[0].delay_s, items[0].priority) == ("kernel", None, None)


def test_call_options_reach_the_message(app, add, sent) -> None:
    items = sent(app)

    add.apply_async(
        (1, 2),
        priority=7,
        headers={"trace": "abc", "origin": "me"},
        shadow="short",
        time_limit=30,
        soft_time_limit=20,
        ignore_result=True,
        reply_to="there",
        delivery_mode="transient",
        group="g1",
        dedup_id="d1",
        properties={"MessageGroupId": "x"},
        group_id="gid",
        group_index=3,
        root_id="root",
        parent_id="parent",
        retries=2,
    )

    (item,) = items
    headers = item.headers
    assert (headers["trace"], headers["origin"]) == ("abc", "me")
    assert (headers["shadow"], headers["timelimit"], headers["ignore_result"]) == ("short", [30, 20], True)
    assert (headers["group"], headers["group_index"]) == ("gid", 3)
    assert (headers["root_id"], headers["parent_id"], headers["retries"]) == ("root", "parent", 2)
    assert (item.priority, item.reply_to, item.persistent) == (7, "there", False)
    assert (item.group, item.dedup_id, item.properties) == ("g1", "d1", {"MessageGroupId": "x"})


@pytest.mark.parametrize(
    "options",
    [
        {"countdown": 1e18},
        {"countdown": float("nan")},
        {"countdown": float("inf")},
        {"countdown": "soon"},
        {"eta": 5},
        {"eta": "tomorrow"},
        {"expires": 1e300},
        {"expires": object()},
        {"priority": -1},
        {"priority": 256},
        {"priority": "high"},
        {"delivery_mode": 3},
        {"time_limit": 1, "soft_time_limit": 2},
        {"retry_policy": {"max_retrys": 1}},
        {"retry_policy": {"interval_step": -1}},
    ],
)
def test_values_out_of_range_are_refused_and_nothing_is_sent(app, add, sent, options) -> None:
    items = sent(app)

    with pytest.raises(ValueError, match=next(iter(options)).split("_")[0]):
        add.apply_async((1, 2), **options)
    assert items == []


def test_countdown_wins_over_eta(app, add, sent) -> None:
    items = sent(app)

    add.apply_async((1, 2), countdown=5, eta=datetime.now(UTC) + timedelta(hours=1))

    assert items[0].delay_s == pytest.approx(5, abs=0.01)
    eta = datetime.fromisoformat(items[0].headers["eta"])
    assert eta.utcoffset() == timedelta(0)
    assert eta.timestamp() == pytest.approx(datetime.now(UTC).timestamp() + 5, abs=2)


def test_a_naive_eta_is_in_the_apps_time_zone(make_app, sent) -> None:
    app = make_app(timezone="Asia/Tokyo")
    task, items = app.task(lambda: None), sent(app)
    later = datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(hours=1)

    task.apply_async(eta=later.replace(tzinfo=None))
    task.apply_async(eta=later.astimezone(timezone(timedelta(hours=-5))))

    assert [item.delay_s for item in items] == pytest.approx([3600, 3600], abs=5)
    assert items[0].headers["eta"] == items[1].headers["eta"]
    assert items[0].headers["eta"].endswith("+00:00")


def test_without_utc_times_are_written_in_the_apps_zone(make_app, sent) -> None:
    app = make_app(timezone="Asia/Tokyo", enable_utc=False)
    items = sent(app)

    app.task(lambda: None).apply_async(countdown=1)

    assert items[0].headers["eta"].endswith("+09:00")


def test_an_eta_in_the_past_is_due_at_once(app, add, sent) -> None:
    items = sent(app)

    add.apply_async((1, 2), eta=datetime.now(UTC) - timedelta(hours=1))

    assert items[0].delay_s is None
    assert items[0].headers["eta"] is not None


def test_a_call_that_expired_already_is_sent_with_a_warning(app, add, sent, caplog) -> None:
    items = sent(app)

    add.apply_async((1, 2), expires=datetime.now(UTC) - timedelta(seconds=5), ignore_result=True)

    assert items[0].ttl_s == 0
    assert "although it expired" in caplog.text


def test_the_default_expiry_of_a_task(app, sent) -> None:
    items = sent(app)

    @app.task(expires=60)
    def task(): ...

    task.delay()
    task.apply_async(expires=5)

    left = [
        datetime.fromisoformat(item.headers["expires"]).timestamp() - datetime.now(UTC).timestamp() for item in items
    ]
    assert left == pytest.approx([60, 5], abs=2)


def test_the_order_of_serializers_and_compressors(make_app, sent) -> None:
    app = make_app(task_serializer="pickle", task_compression="zlib", accept_content=["json", "pickle"])
    items, text = sent(app), "x" * 1000

    app.task(name="setting")(lambda text: None).delay(text)
    declared = app.task(name="declared", serializer="json", compression="gzip")(lambda text: None)
    declared.delay(text)
    declared.apply_async((text,), serializer="pickle", compression="bzip2")

    assert [item.content_type for item in items] == [
        "application/x-python-serialize",
        "application/json",
        "application/x-python-serialize",
    ]
    assert [item.headers["compression"] for item in items] == [
        "application/x-gzip",
        "application/x-gzip",
        "application/x-bz2",
    ]


def test_an_unknown_serializer_is_refused(add) -> None:
    with pytest.raises(ImproperlyConfigured, match="jsonn"):
        add.apply_async((1, 2), serializer="jsonn")


def test_an_argument_the_serializer_cannot_carry_is_refused_and_nothing_is_sent(app, add, sent) -> None:
    items = sent(app)

    with pytest.raises(EncodeError):
        add.delay(object(), 1)
    assert items == []


def test_task_attributes_are_defaults_of_every_call(app, sent) -> None:
    items = sent(app)

    @app.task(queue="hipri", priority=3, time_limit=9, soft_time_limit=5, ignore_result=True)
    def task(): ...

    task.delay()
    app.send_task(task.name)
    task.s().apply_async()
    task.apply_async(queue="other", priority=1, ignore_result=False)

    for item in items[:3]:
        assert (item.queue, item.priority) == ("hipri", 3)
        assert (item.headers["timelimit"], item.headers["ignore_result"]) == ([9, 5], True)
    assert (items[3].queue, items[3].priority, items[3].headers["ignore_result"]) == ("other", 1, False)


def test_send_task_by_name(app, sent) -> None:
    items = sent(app)

    result = app.send_task("elsewhere.mul", (2, 3), {"z": 1}, queue="q", countdown=5)

    (item,) = items
    assert (item.headers["task"], item.headers["id"], item.headers["ignore_result"]) == (
        "elsewhere.mul",
        result.id,
        None,
    )
    assert (item.queue, body_of(item)[:2]) == ("q", [[2, 3], {"z": 1}])
    assert item.delay_s == pytest.approx(5, abs=0.01)


def test_send_task_is_never_eager(make_app, sent) -> None:
    app = make_app(task_always_eager=True)
    items = sent(app)

    with pytest.warns(AlwaysEagerIgnored):
        app.send_task("proj.add", (1, 2))
    assert len(items) == 1


def test_routes_of_the_configuration(make_app, sent) -> None:
    app = make_app(task_routes={"proj.tasks.add": {"queue": "hipri"}, "tasks.mul": "low-priority"})
    items = sent(app)

    app.task(name="proj.tasks.add")(lambda: None).delay()
    app.send_task("tasks.mul")
    app.send_task("tasks.mul", queue="chosen")

    assert [item.queue for item in items] == ["hipri", "low-priority", "chosen"]


def test_a_route_may_set_options_which_the_call_overrides(make_app, sent) -> None:
    app = make_app(task_routes={"t": {"queue": "q", "priority": 4, "countdown": 9}})
    items = sent(app)

    app.send_task("t")
    app.send_task("t", priority=1)

    assert [(item.queue, item.priority) for item in items] == [("q", 4), ("q", 1)]
    assert items[0].delay_s == pytest.approx(9, abs=0.01)


def test_an_unknown_queue_is_refused_when_queues_are_not_created(make_app) -> None:
    app = make_app(task_create_missing_queues=False, task_queues=[Queue("celery")], task_default_queue="celery")

    with pytest.raises(QueueNotFound, match="hipri"):
        app.send_task("t", queue="hipri")


def test_exchange_and_routing_key_may_be_given(make_app, sent) -> None:
    media = Exchange("media", "topic")
    app = make_app(task_queues=[Queue("video", media, routing_key="media.video.#"), Queue("kernel")])
    items = sent(app)

    app.send_task("t", exchange=media, routing_key="media.video.mp4")
    app.send_task("t", exchange="media", routing_key="media.video.mp4")

    assert [(item.queue, item.exchange, item.routing_key) for item in items] == [("", "media", "media.video.mp4")] * 2


def test_a_broker_that_knows_no_exchanges_gets_one_message_per_queue(make_app, sent, monkeypatch, caplog) -> None:
    media = Exchange("media", "topic")
    queues = [Queue("video", media, "media.video.#"), Queue("all", media, "media.#"), Queue("kernel")]
    app = make_app(task_queues=queues)
    items, broker = sent(app), app.client.services.broker
    caps = replace(broker.capabilities(), exchanges=False)
    monkeypatch.setattr(broker, "capabilities", lambda: caps)

    app.send_task("t", exchange="media", routing_key="media.video.mp4", task_id="both")
    app.send_task("t", exchange="media", routing_key="other", task_id="none")

    assert [(item.queue, item.exchange, item.id) for item in items] == [("video", "", "both"), ("all", "", "both")]
    assert "t[none] reaches no queue by way of exchange 'media'" in caplog.text


def test_an_exchange_alone_declares_the_queues_behind_it(make_app) -> None:
    media = Exchange("media", "fanout")
    app = make_app(task_queues=[Queue("a", media), Queue("b", bindings=[Binding(media)]), Queue("kernel")])

    app.send_task("t", exchange="media", routing_key="x")

    depth = app.client.services.broker.depth(["a", "b"], Deadline.after(5))
    assert [depth[name].ready for name in ("a", "b")] == [1, 1]


def test_a_chord_goes_along(app, add, sent) -> None:
    items = sent(app)

    add.apply_async((1, 2), chord=add.s(5))

    assert body_of(items[0])[2]["chord"]["args"] == [5]


def test_settings_by_every_way(make_app, monkeypatch) -> None:
    app = make_app()
    monkeypatch.setenv("SOME_CONFIG", "no.such.module")

    app.add_defaults(lambda: {"task_default_queue": "defaults", "task_default_priority": 1})
    app.config_from_object({"task_default_queue": "object"})
    assert (app.config.task_default_queue, app.config.task_default_priority) == ("object", 1)
    app.conf.update(task_default_queue="changed")
    assert app.config.task_default_queue == "changed"
    with pytest.raises(ImproperlyConfigured, match=r"no\.such\.module"):
        app.config_from_envvar("SOME_CONFIG", force=True)


def test_start_runs_the_program_with_this_app(app, capsys) -> None:
    app.task(name="proj.add")(lambda: None)

    assert app.start(["report"]) == 0
    assert app.start(["no-such-command"]) != 0
    assert "no-such-command" in capsys.readouterr().err


def test_queues_are_declared_once_per_process(app, add, monkeypatch) -> None:
    broker = app.client.services.broker
    declared, declare = [], broker.declare

    def note(specs, deadline):
        declared.extend(spec.name for spec in specs)
        declare(specs, deadline)

    monkeypatch.setattr(broker, "declare", note)
    for _ in range(3):
        add.delay(1, 2)
    add.apply_async((1, 2), queue="other")

    assert declared == ["kernel", "other"]


def test_a_queue_somebody_deleted_is_declared_again(app, add, sent) -> None:
    add.delay(1, 2)
    app.client.services.broker.delete(["kernel"], Deadline.after(5))

    add.delay(1, 2)

    assert app.client.services.broker.depth(["kernel"], Deadline.after(5))["kernel"].ready == 1


def test_a_change_of_settings_takes_effect_with_the_next_call(app, add, sent) -> None:
    add.delay(1, 2)

    app.conf.task_default_queue = "elsewhere"
    app.conf.task_ignore_result = True
    items = sent(app)
    result = add.delay(1, 2)

    assert items[0].queue == "elsewhere"
    assert items[0].headers["ignore_result"] is True
    assert result.get() is None


def test_an_option_set_on_the_task_takes_effect_with_the_next_call(app, add, sent) -> None:
    items = sent(app)

    add.delay(1, 2)
    add.ignore_result = True
    add.delay(1, 2)
    app.conf.task_track_started = True

    assert add.task_options.track_started is True
    assert [item.headers["ignore_result"] for item in items] == [False, True]
    assert add.ignore_result is True
    assert add.task_options.ignore_result is True


def test_reprs_of_arguments_are_bounded(app, sent) -> None:
    task, items = app.task(lambda x: None), sent(app)
    deep: list = []
    deep.append(deep)

    task.apply_async(([1, [2, [3, [4]]]],))
    task.delay("x" * 5000)

    assert items[0].headers["argsrepr"] == "([1, [2, [...]]],)"
    assert len(items[1].headers["argsrepr"]) == 1024
    assert items[1].headers["argsrepr"].endswith("...")


def test_signatures_are_sent_as_plain_values(app, add, sent) -> None:
    items = sent(app)

    add.apply_async((2, 2), link=add.s(16), link_error=[add.s(1), add.si(1, 2)])

    embed = body_of(items[0])[2]
    assert embed["callbacks"] == [
        {"task": "proj.add", "args": [16], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}
    ]
    assert [each["immutable"] for each in embed["errbacks"]] == [False, True]
    with pytest.raises(TypeError, match="link takes signatures"):
        add.apply_async((2, 2), link=add)


def test_annotations_change_attributes(make_app) -> None:
    app = make_app(
        task_annotations={
            "*": {"max_retries": 5},
            "tasks.add": {"rate_limit": "10/m", "@on_failure": lambda method: "wrapped"},
        }
    )
    add = app.task(name="tasks.add")(lambda: None)
    other = app.task(name="tasks.other")(lambda: None)

    assert (add.task_options.max_retries, other.task_options.max_retries) == (5, 5)
    assert (add.rate_limit, other.rate_limit) == ("10/m", None)
    assert add.on_failure == "wrapped"
    assert add.has_handlers
    assert not other.has_handlers


def test_annotations_are_applied_anew_when_settings_change(make_app) -> None:
    def louder(body):
        return lambda text: body(text) + "!"

    app = make_app(task_annotations={"shout": {"@run": louder, "max_retries": 1}})
    shout = app.task(name="shout")(str.upper)

    assert shout.apply(("a",)).get() == "A!"
    app.conf.task_annotations = {"shout": {"@run": louder}}
    assert shout.apply(("a",)).get() == "A!"
    assert shout.task_options.max_retries == 3
    app.conf.task_annotations = None
    assert shout.apply(("a",)).get() == "A"


def test_annotation_objects_are_asked(make_app) -> None:
    class ByQueue:
        def annotate(self, task):
            return {"rate_limit": "1/s"} if task.queue == "slow" else None

    app = make_app(task_annotations=[ByQueue(), {"b": {"rate_limit": 3}}])
    a = app.task(name="a", queue="slow")(lambda: None)
    b = app.task(name="b")(lambda: None)

    assert (a.task_options.name, a.rate_limit) == ("a", "1/s")
    assert (b.task_options.name, b.rate_limit) == ("b", 3)


def test_an_annotation_of_an_unknown_attribute_is_refused(make_app) -> None:
    app = make_app(task_annotations={"a": {"rate_limitt": "1/s"}})

    with pytest.raises(ImproperlyConfigured, match="rate_limitt") as caught:
        app.task(name="a")(lambda: None).delay()
    assert "rate_limit" in caught.value.cure


def test_settings_are_defaults_of_attributes(make_app) -> None:
    app = make_app(
        task_acks_late=True,
        task_acks_on_failure_or_timeout=False,
        task_acks_on_timeout=True,
        task_track_started=True,
        task_default_rate_limit="5/s",
    )
    task = app.task(name="a")(lambda: None)
    own = app.task(name="b", acks_late=False, track_started=False)(lambda: None)

    options = task.task_options
    assert (options.acks_late, options.acks_on_failure, options.acks_on_timeout) == (True, False, True)
    assert (options.track_started, task.rate_limit, task.acks_late) == (True, "5/s", True)
    assert (own.task_options.acks_late, own.task_options.track_started) == (False, False)


def test_contradicting_task_options_are_refused(app) -> None:
    with pytest.raises(ValueError, match="soft_time_limit=9 of task t is above its time_limit=5"):
        app.task(name="t", time_limit=5, soft_time_limit=9)(lambda: None).delay()
    with pytest.raises(ImproperlyConfigured, match="autoretry_for of task u must hold exception classes"):
        app.task(name="u", autoretry_for=("OSError",))(lambda: None).delay()


def test_shadow_name_is_asked(app, sent) -> None:
    items = sent(app)

    class Shadowed(Task):
        def shadow_name(self, args, kwargs, options):
            return f"add {args[0]}"

    task = app.task(base=Shadowed)(lambda x: None)
    task.delay(3)
    task.apply_async((3,), shadow="given")

    assert [item.headers["shadow"] for item in items] == ["add 3", "given"]


def test_what_a_worker_sends_comes_from_the_worker(app, sent) -> None:
    items = sent(app)

    InheritingFactory(app, ExecutorOptions("w1@host"))()
    app.send_task("t")

    assert items[0].headers["origin"] == "w1@host"


def test_task_sent_events(make_app, monkeypatch) -> None:
    app = make_app(task_send_sent_event=True)
    app.send_task("t", (1,))
    events = []
    monkeypatch.setattr(app.client._events, "emit", events.extend)

    result = app.send_task("t", (2,), queue="q")

    (event,) = events
    assert (event["type"], event["uuid"], event["name"]) == ("task-sent", result.id, "t")
    assert (event["args"], event["queue"], event["root_id"]) == ("(2,)", "q", result.id)
