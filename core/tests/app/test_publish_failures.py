"""A broker that is away, slow, picky or broken (features.md 1.8, 1.9; pains P08)."""

import pickle
import time

import pytest

from kernel import group
from kernel.contracts import PublishResult
from kernel.engine.publish_policy import NO_RETRY, PublishPolicy, publish_policy
from kernel.errors import Code, DriverError, OperationalError
from kernel.errors import TimeoutError as KernelTimeoutError
from kernel.runtime.publisher import Publisher

AWAY = DriverError(Code.UNAVAILABLE, "connection refused")


class Faults:
    """Stands before the broker's publish and makes it fail as told."""

    def __init__(self, app, monkeypatch) -> None:
        self.broker = app.client.services.broker
        self.publish = self.broker.publish
        self.plan = []
        self.calls = []
        monkeypatch.setattr(self.broker, "publish", self)

    def __call__(self, items, deadline):
        self.calls.append(([item.id for item in items], deadline.left()))
        fault = self.plan.pop(0) if self.plan else None
        if callable(fault):
            return fault(items, deadline)
        if isinstance(fault, Exception):
            raise fault
        return self.publish(items, deadline)


@pytest.fixture
def add(app):
    return app.task(name="proj.add")(lambda x, y: x + y)


@pytest.fixture
def faults(app, monkeypatch):
    return Faults(app, monkeypatch)


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between tries, which then take no time."""
    slept = []
    monkeypatch.setattr("kernel.runtime.sender.time.sleep", slept.append)
    return slept


def test_a_lost_connection_is_tried_again_with_the_policy_of_the_setting(add, faults, pauses) -> None:
    faults.plan = [AWAY, AWAY, AWAY]

    result = add.delay(1, 2)

    assert [ids for ids, _ in faults.calls] == [[result.id]] * 4
    assert pauses == pytest.approx([0, 0.2, 0.4])


def test_after_the_last_retry_the_error_is_raised_with_a_cure(add, faults, pauses) -> None:
    faults.plan = [AWAY] * 4

    with pytest.raises(add.OperationalError) as caught:
        add.apply_async((1, 2), task_id="lost")
    error = caught.value
    assert "proj.add[lost]" in str(error)
    assert "connection refused" in str(error)
    assert "is running" in error.cure
    assert (error.code, dict(error.failed), error.__cause__) == (Code.UNAVAILABLE, {"lost": AWAY}, AWAY)
    assert len(faults.calls) == 4


def test_retry_can_be_turned_off_per_call_and_by_setting(make_app, monkeypatch, pauses) -> None:
    for app, options in ((make_app(), {"retry": False}), (make_app(task_publish_retry=False), {})):
        faults = Faults(app, monkeypatch)
        faults.plan = [AWAY]
        with pytest.raises(OperationalError):
            app.send_task("t", **options)
        assert len(faults.calls) == 1
    assert pauses == []


def test_a_policy_of_the_call_is_merged_over_the_setting(add, faults, pauses) -> None:
    faults.plan = [AWAY] * 6

    add.apply_async((1, 2), retry_policy={"max_retries": 6, "interval_start": 0.5, "interval_max": 0.8})

    assert pauses == pytest.approx([0.5, 0.7, 0.8, 0.8, 0.8, 0.8])


def test_only_the_errors_named_are_retried(add, faults, pauses) -> None:
    slow = DriverError(Code.TIMEOUT, "too slow")
    faults.plan = [slow, AWAY]

    with pytest.raises(OperationalError, match="connection refused"):
        add.apply_async((1, 2), retry=True, retry_policy={"max_retries": 3, "retry_errors": (KernelTimeoutError,)})
    assert len(faults.calls) == 2


def test_what_retrying_cannot_cure_is_not_retried(add, faults, pauses) -> None:
    faults.plan = [DriverError(Code.AUTH, "wrong password", cure="Correct the password.")]

    with pytest.raises(OperationalError) as caught:
        add.delay(1, 2)
    assert (caught.value.code, caught.value.cure) == (Code.AUTH, "Correct the password.")
    assert len(faults.calls) == 1


def test_a_batch_is_one_call_and_only_what_failed_is_sent_again(app, add, faults, pauses) -> None:
    def second_fails(items, deadline):
        faults.publish([items[0], items[2]], deadline)
        return [PublishResult(), PublishResult(AWAY), PublishResult()]

    faults.plan = [second_fails]

    result = group(add.s(i, i) for i in range(3)).apply_async()

    ids = [each.id for each in result.results]
    assert [each for each, _ in faults.calls] == [ids, [ids[1]]]


def test_a_partial_failure_names_what_was_not_sent(app, add, faults, pauses) -> None:
    too_large = DriverError(Code.TOO_LARGE, "above 256 KiB")
    faults.plan = [lambda items, deadline: [PublishResult(), PublishResult(too_large), PublishResult()]]

    with pytest.raises(OperationalError, match=r"1 of 3 messages were not sent: proj\.add") as caught:
        group(add.s(i, i) for i in range(3)).apply_async()
    assert list(caught.value.failed.values()) == [too_large]
    assert caught.value.code is Code.TOO_LARGE


def test_a_plugin_that_raises_something_foreign_is_named(add, faults, pauses) -> None:
    faults.plan = [ZeroDivisionError("oops")]

    with pytest.raises(
        OperationalError, match=r"kernel\.builtins\.memory\.broker failed with ZeroDivisionError"
    ) as caught:
        add.delay(1, 2)
    assert caught.value.code is Code.INTERNAL


def test_a_server_may_ask_for_a_longer_pause(add, faults, pauses) -> None:
    faults.plan = [DriverError(Code.EXHAUSTED, "quota", retry_after=1.5)]

    add.delay(1, 2)

    assert pauses == [1.5]


def test_a_broker_that_answers_nothing_is_given_up_by_the_deadline(make_app, monkeypatch) -> None:
    app = make_app(broker_connection_timeout=0.3)
    faults = Faults(app, monkeypatch)

    def black_hole(items, deadline):
        time.sleep(deadline.left())
        raise DriverError(Code.TIMEOUT, "no answer by the deadline")

    policy = {"max_retries": 2, "interval_start": 0.01, "interval_step": 0.01, "interval_max": 0.1}
    for _ in range(2):  # the first call and every further one
        faults.plan = [black_hole] * 9
        began = time.monotonic()
        with pytest.raises(OperationalError, match="no answer"):
            app.send_task("t", retry_policy=policy)
        assert time.monotonic() - began < 5  # 0.3 s and the pauses, and a slow machine


def test_a_broker_that_cannot_be_opened_is_an_operational_error(make_app, monkeypatch, pauses) -> None:
    app = make_app()
    kind = type(app.client.services._make("broker_transport_options"))

    def refuse(self, deadline):
        raise AWAY

    monkeypatch.setattr(kind, "open", refuse)

    for _ in range(2):
        with pytest.raises(OperationalError, match="connection refused"):
            app.send_task("t")


def test_passwords_never_show_in_errors(make_app, monkeypatch, pauses) -> None:
    app = make_app()
    faults = Faults(app, monkeypatch)
    faults.plan = [AWAY] * 4
    monkeypatch.setattr(app.client.services.publisher._sender, "_url", "amqp://me:se/cr@et@host//?token=abc")

    with pytest.raises(OperationalError) as caught:
        app.send_task("t")
    assert "amqp://me:********@host//?token=********" in str(caught.value)
    assert "cr@et" not in caught.value.one_line()


def test_an_operational_error_survives_pickling(add, faults, pauses) -> None:
    faults.plan = [AWAY] * 4
    with pytest.raises(OperationalError) as caught:
        add.delay(1, 2)

    again = pickle.loads(pickle.dumps(caught.value))

    assert (str(again), again.code, again.cure) == (str(caught.value), Code.UNAVAILABLE, caught.value.cure)


def test_middleware_sees_the_batch(make_app, monkeypatch) -> None:
    seen = []

    class Observer:
        def before_publish_batch(self, items) -> None:
            seen.append([item.id for item in items])

    app = make_app()
    services = app.client.services
    publisher = Publisher(services, middleware=(Observer(),))
    monkeypatch.setattr(services, "_publisher", publisher)
    app.send_task("t", task_id="one")

    assert seen == [["one"]]


class TestPolicy:
    def test_the_default_takes_six_tenths_of_a_second(self) -> None:
        assert PublishPolicy().total_s == pytest.approx(0.6)

    def test_none_is_for_ever(self) -> None:
        policy = publish_policy({"max_retries": None}, None)
        assert policy.total_s is None
        assert policy.allows(10**6, AWAY)

    def test_no_retry(self) -> None:
        assert not NO_RETRY.allows(0, AWAY)
        assert NO_RETRY.total_s == 0

    @pytest.mark.parametrize(
        "wrong", [{"max_retries": -1}, {"max_retries": "3"}, {"interval_max": None}, {"interval_start": True}]
    )
    def test_wrong_values_are_refused(self, wrong) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            publish_policy(wrong, None)

    def test_retry_errors_may_be_causes(self) -> None:
        error = DriverError(Code.INTERNAL, "broken")
        error.__cause__ = BrokenPipeError()
        policy = publish_policy({"retry_errors": [OSError]}, None)
        assert policy.allows(0, error)
        assert policy.allows(0, AWAY)  # a ConnectionError by another name
        assert not policy.allows(0, DriverError(Code.AUTH, "no"))


def test_a_large_group_goes_in_thousands_each_with_its_own_deadline(app, add, faults) -> None:
    sent = group([add.s(n, n) for n in range(2500)]).apply_async()

    assert [len(ids) for ids, _ in faults.calls] == [1000, 1000, 500]
    assert [task_id for ids, _ in faults.calls for task_id in ids] == [each.id for each in sent.results]
    assert all(left > app.conf.broker_connection_timeout - 1 for _, left in faults.calls)


def test_a_broker_that_goes_away_in_a_large_group_is_not_asked_for_the_rest(add, faults, pauses) -> None:
    """What was taken is not reported, and everything else is, tried or not."""
    faults.plan = [None, AWAY, AWAY, AWAY, AWAY]

    with pytest.raises(OperationalError, match=r"1500 of 2500 messages were not sent") as caught:
        group([add.s(n, n) for n in range(2500)]).apply_async()

    assert [len(ids) for ids, _ in faults.calls] == [1000] * 5
    taken, tried = (ids for ids, _ in faults.calls[:2])
    assert len(caught.value.failed) == 1500
    assert caught.value.failed.keys().isdisjoint(taken)
    assert {caught.value.failed[task_id] for task_id in tried} == {AWAY}
    assert {error.code for error in caught.value.failed.values()} == {Code.UNAVAILABLE}


def test_a_message_that_is_refused_for_good_stops_no_further_thousand(add, faults, pauses) -> None:
    large = DriverError(Code.TOO_LARGE, "above the limit")

    def refuse_first(items, deadline):
        results = faults.publish(items[1:], deadline)
        return [PublishResult(large), *results]

    faults.plan = [refuse_first]

    with pytest.raises(OperationalError, match=r"1 of 1500 messages were not sent") as caught:
        group([add.s(n, n) for n in range(1500)]).apply_async()

    assert list(caught.value.failed.values()) == [large]
    assert [len(ids) for ids, _ in faults.calls] == [1000, 500]
