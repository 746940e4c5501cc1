"""Long polls that nobody waits for any more, against a server that answers when it is told to."""

import threading
import time

import pytest

from kernel.contracts import Deadline, PluginContext
from kernel.errors import Applied, Code, DriverError
from plugin_broker_sqs.capabilities import claims
from plugin_broker_sqs.consumer import SqsConsumer
from plugin_broker_sqs.line import Line, Plan
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import read_settings
from plugin_broker_sqs.receiving import PROVISIONAL_S


class Server:
    """One queue, and the client of the SDK. A long poll waits until :meth:`put` or :meth:`give_up`."""

    def __init__(self):
        self.polls = 0
        self.hidden = {}
        self.requests = []
        self.refuse_extension = False
        self.error = None
        self._ready = threading.Condition()
        self._messages = []
        self._over = False

    def call(self, operation, deadline, **parameters):
        self.requests.append((operation, parameters))
        return getattr(self, operation)(**parameters)

    def put(self, *handles):
        with self._ready:
            self._messages += handles
            self._ready.notify_all()

    def give_up(self):
        with self._ready:
            self._over = True
            self._ready.notify_all()

    def get_queue_url(self, QueueName):
        return {"QueueUrl": f"http://server/1/{QueueName}"}

    def get_queue_attributes(self, **_):
        return {"Attributes": {"VisibilityTimeout": "60"}}

    def receive_message(self, *, WaitTimeSeconds, VisibilityTimeout, MaxNumberOfMessages, **_):
        with self._ready:
            if WaitTimeSeconds:
                self.polls += 1
                self._ready.notify_all()
                self._ready.wait_for(lambda: self._messages or self._over or self.error, WaitTimeSeconds)
            if self.error is not None:
                raise self.error
            found, self._messages = self._messages[:MaxNumberOfMessages], self._messages[MaxNumberOfMessages:]
        for handle in found:
            self.hidden[handle] = VisibilityTimeout
        return {"Messages": [{"ReceiptHandle": handle, "MessageId": handle, "Body": "text"} for handle in found]}

    def change_message_visibility_batch(self, *, Entries, **_):
        done, failed = [], []
        for entry in Entries:
            if self.refuse_extension and entry["VisibilityTimeout"]:
                failed.append({"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": True})
                continue
            self.hidden[entry["ReceiptHandle"]] = entry["VisibilityTimeout"]
            done.append({"Id": entry["Id"]})
        return {"Successful": done, "Failed": failed}

    def await_polls(self, count):
        with self._ready:
            assert self._ready.wait_for(lambda: self.polls >= count, 10), f"{self.polls} polls began"


@pytest.fixture
def server():
    made = Server()
    yield made
    made.give_up()


def make(server, queues=("q",), prefetch=0, **options):
    settings = read_settings("sqs://", {"wait_time_s": 10, **options}, PluginContext().namespace)
    names = QueueNames(settings)
    line = Line(server, Plan(settings, names, claims(settings, names), time.time, {}), 1)
    return SqsConsumer(line.receiving, line.settling, list(queues), prefetch, time.time, settings.wait_time_s)


def woken(server, consumer):
    """Wait in a long poll, and wake it up."""
    timer = threading.Timer(0.0, lambda: (server.await_polls(1), consumer.wake()))
    timer.start()
    started = time.monotonic()
    assert consumer.receive(5, 30) == []
    assert time.monotonic() - started < 5
    timer.join()


def eventually(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_comes_after_a_wake_is_for_the_next_receive(server):
    consumer = make(server)
    woken(server, consumer)
    server.put("late")
    found = consumer.receive(5, 10)
    assert [one.receipt.handle for one in found] == ["late"]
    assert server.hidden == {"late": 60}
    assert server.polls == 1, "the poll that was under way is the one that brought it"
    consumer.close(release=False, deadline=Deadline.after(1))


def test_what_nobody_asks_for_goes_back(server):
    consumer = make(server)
    woken(server, consumer)
    server.put("late")
    eventually(lambda: server.hidden == {"late": 0})
    assert consumer.receive(5, 0) == []
    server.give_up()
    consumer.close(release=True, deadline=Deadline.after(5))


def test_closing_waits_for_the_poll_and_gives_back_what_it_brings(server):
    consumer = make(server)
    woken(server, consumer)
    timer = threading.Timer(0.3, server.put, ["late"])
    timer.start()
    consumer.close(release=True, deadline=Deadline.after(10))
    timer.join()
    assert server.hidden == {"late": 0}


def test_closing_ends_by_its_deadline_and_the_poll_gives_back_later(server):
    consumer = make(server)
    woken(server, consumer)
    started = time.monotonic()
    consumer.close(release=True, deadline=Deadline.after(0.3))
    assert time.monotonic() - started < 5
    server.put("late")
    eventually(lambda: server.hidden == {"late": 0})


def test_a_poll_takes_a_short_lease_and_makes_it_whole(server):
    consumer = make(server)
    server.put("first")
    assert len(consumer.receive(5, 10)) == 1
    asked = [parameters["VisibilityTimeout"] for name, parameters in server.requests if name == "receive_message"]
    assert asked == [60], "while messages keep coming there is one request for each receive"
    timer = threading.Timer(0.0, lambda: (server.await_polls(1), server.put("second")))
    timer.start()
    assert consumer.receive(5, 0) == []
    found = consumer.receive(5, 10)
    timer.join()
    assert [one.receipt.handle for one in found] == ["second"]
    asked = [parameters["VisibilityTimeout"] for name, parameters in server.requests if name == "receive_message"]
    assert asked[-1] == PROVISIONAL_S
    assert server.hidden["second"] == 60
    assert 55 < found[0].lease_until - time.time() < 65
    consumer.close(release=False, deadline=Deadline.after(1))


def test_a_short_lease_that_cannot_be_made_whole_is_no_delivery(server):
    consumer = make(server)
    consumer.receive(1, 0)
    server.refuse_extension = True
    timer = threading.Timer(0.0, lambda: (server.await_polls(1), server.put("gone")))
    timer.start()
    assert consumer.receive(5, 1.5) == []
    timer.join()
    assert server.hidden == {"gone": PROVISIONAL_S}, "it comes back by itself"
    server.give_up()
    consumer.close(release=True, deadline=Deadline.after(5))


def test_the_error_of_a_poll_is_told_once(server):
    consumer = make(server)
    consumer.receive(1, 0)
    server.error = DriverError(Code.UNAVAILABLE, "reset", outcome=Applied.UNKNOWN)
    with pytest.raises(DriverError) as caught:
        consumer.receive(5, 10)
    assert caught.value.code is Code.UNAVAILABLE
    server.error = None
    server.put("next")
    assert len(consumer.receive(5, 10)) == 1
    consumer.close(release=False, deadline=Deadline.after(1))


def test_prefetch_counts_what_polls_may_still_bring(server):
    consumer = make(server, queues=("a", "b"), prefetch=2)
    consumer.receive(1, 0)
    timer = threading.Timer(0.2, consumer.wake)
    timer.start()
    assert consumer.receive(5, 10) == []
    timer.join()
    assert server.polls == 1, "one queue's poll may bring two, so there is no room for the other's"
    server.put("1", "2", "3")
    found = consumer.receive(5, 10)
    assert len(found) == 2
    assert consumer.receive(5, 0.2) == []
    server.give_up()
    consumer.close(release=False, deadline=Deadline.after(5))


def test_a_forked_child_has_no_polls(server):
    consumer = make(server)
    woken(server, consumer)
    consumer.abandon()
    with pytest.raises(DriverError) as caught:
        consumer.receive(1, 0)
    assert caught.value.code is Code.CLOSED
