"""The producer pool and manual connections (features.md 1.12), and forks."""

import os
import threading

import pytest

from kernel import Kernel
from kernel.contracts import Deadline
from kernel.errors import Code, OperationalError
from kernel.runtime.producers import ProducerPool

WAIT = 20


@pytest.fixture
def add(app):
    return app.task(name="proj.add")(lambda x, y: x + y)


def test_the_example_of_the_documents(app, add, worker) -> None:
    worker()
    numbers = [(2, 2), (4, 4), (8, 8), (16, 16)]
    results = []

    with add.app.pool.acquire(block=True) as connection, add.get_publisher(connection) as publisher:
        for i, j in numbers:
            results.append(add.apply_async((i, j), publisher=publisher))

    assert [result.get(timeout=WAIT) for result in results] == [4, 8, 16, 32]


@pytest.mark.parametrize("option", ["publisher", "producer", "connection"])
def test_every_spelling_uses_what_was_given(app, add, option, monkeypatch) -> None:
    with app.pool.acquire() as connection:
        given = connection if option == "connection" else app.amqp.Producer(connection)
        sent = []
        monkeypatch.setattr(given, "publish", sent.extend)

        add.apply_async((1, 2), **{option: given})
        add.s(1, 2).apply_async(**{option: given})
        app.send_task("t", **{option: given})

    assert [call.task for call in sent] == ["proj.add", "proj.add", "t"]
    assert all(option not in call.options for call in sent)


def test_a_producer_without_a_connection_uses_the_pool(app, add, sent) -> None:
    items = sent(app)

    with add.get_publisher() as publisher:
        add.apply_async((1, 2), producer=publisher)

    assert len(items) == 1


def test_a_connection_that_was_given_back_is_refused(app, add) -> None:
    with app.pool.acquire() as connection:
        pass
    connection.release()  # once more does no harm

    with pytest.raises(OperationalError, match="given back") as caught:
        add.apply_async((1, 2), connection=connection)
    assert caught.value.code is Code.CLOSED


def test_when_all_producers_are_in_use(make_app) -> None:
    app = make_app(broker_pool_limit=1, broker_pool_acquire_timeout=0.02)

    with app.pool.acquire() as connection:
        for take in (lambda: app.send_task("t"), app.pool.acquire, lambda: app.pool.acquire(block=False)):
            with pytest.raises(OperationalError, match="All 1 producers") as caught:
                take()
            assert "broker_pool_limit" in caught.value.cure
        app.send_task("t", connection=connection)
    app.send_task("t")


def test_a_slot_comes_back_after_a_failure(make_app, monkeypatch) -> None:
    app = make_app(broker_pool_limit=1, broker_pool_acquire_timeout=0.02)

    for _ in range(3):
        with pytest.raises(ValueError, match="priority"):
            app.send_task("t", priority=-1)


def test_no_limit() -> None:
    sent = []
    pool = ProducerPool(sent.extend, 0, None)

    held = [pool.acquire(block=False) for _ in range(100)]
    pool.publish([1])
    held[0].publish([2])

    assert pool.limit is None
    assert sent == [1, 2]


def test_waiting_for_a_slot(app) -> None:
    pool = ProducerPool(lambda calls: None, 1, None)
    connection = pool.acquire()
    waiting = threading.Thread(target=pool.publish, args=([],))
    waiting.start()
    waiting.join(0.02)
    assert waiting.is_alive()

    connection.release()

    waiting.join(WAIT)
    assert not waiting.is_alive()


def test_a_forked_child_publishes_on_its_own(tmp_path) -> None:
    """Slots held in the parent are free in the child, and drivers open handles of their own."""
    url = f"sqlite:///{tmp_path}/k.db"
    app = Kernel(
        "proj", broker=url, backend=url, broker_pool_limit=1, broker_pool_acquire_timeout=WAIT, set_as_current=False
    )
    app.send_task("t", task_id="parent")
    app.pool.acquire()  # and never given back

    child = os.fork()
    if child == 0:
        try:
            app.send_task("t", task_id="child")
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    try:
        assert os.waitstatus_to_exitcode(status) == 0
        broker = app.client.services.broker
        assert broker.depth(["kernel"], Deadline.after(5))["kernel"].ready == 2
    finally:
        app.close()


def test_an_app_used_in_a_with_block_is_closed(make_app) -> None:
    with make_app() as app:
        app.send_task("t")
        client = app.client
    assert app._client is None
    assert app.client is not client  # and opens again when it is used again
