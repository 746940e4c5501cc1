"""Entries of a batch fail for themselves, and are tried again only where that can help."""

import pytest

from kernel.contracts import Deadline
from kernel.errors import Applied, Code, DriverError
from plugin_broker_sqs.batches import Batches, Entry


class Server:
    """Answers batches; ``faults`` is what it says of an entry, by what it carries: each once."""

    def __init__(self, faults=None, whole=None):
        self.faults = {key: list(said) for key, said in (faults or {}).items()}
        self.whole = list(whole or [])
        self.calls = []

    def call(self, operation, deadline, **parameters):
        deadline.check(operation)
        self.calls.append([entry["v"] for entry in parameters["Entries"]])
        if self.whole and (error := self.whole.pop(0)) is not None:
            raise error
        answer = {"Successful": [], "Failed": []}
        for entry in parameters["Entries"]:
            said = self.faults.get(entry["v"])
            fault = said.pop(0) if said else None
            if fault is None:
                answer["Successful"].append({"Id": entry["Id"]})
            elif fault != "silence":
                code, ours = fault
                answer["Failed"].append({"Id": entry["Id"], "Code": code, "SenderFault": ours, "Message": "why"})
        return answer


def entries(count, size=0):
    return [Entry(f"message {n}", {"v": n}, size) for n in range(count)]


def sent(server, some, most_bytes=0, **options):
    batches = Batches(server, "send_message_batch", most_bytes, **options)
    return [error and error.code for error in batches.send("url", some, Deadline.after(5))]


def test_ten_at_a_time_and_no_request_too_large():
    server = Server()
    assert sent(server, entries(23)) == [None] * 23
    assert [len(call) for call in server.calls] == [10, 10, 3]
    server = Server()
    sent(server, entries(5, size=40), most_bytes=100)
    assert [len(call) for call in server.calls] == [2, 2, 1]


def test_what_the_server_could_not_do_is_tried_once_more_alone():
    server = Server({1: [("InternalError", False)], 3: [("InternalError", False)] * 2})
    assert sent(server, entries(5)) == [None, None, None, Code.UNAVAILABLE, None]
    assert server.calls == [[0, 1, 2, 3, 4], [1], [3]]


def test_what_is_wrong_is_not_tried_again():
    server = Server({2: [("InvalidMessageContents", True)]})
    assert sent(server, entries(4)) == [None, None, Code.INVALID, None]
    assert len(server.calls) == 1


def test_an_entry_without_an_answer_is_tried_again_and_may_have_been_applied():
    server = Server({0: ["silence", "silence"]})
    [error, other] = Batches(server, "send_message_batch").send("url", entries(2), Deadline.after(5))
    assert other is None
    assert (error.code, error.outcome) == (Code.UNAVAILABLE, Applied.UNKNOWN)


def test_one_that_spoils_the_whole_request_takes_no_other_with_it():
    refused = DriverError(Code.INVALID, "one of them")
    server = Server({1: [("InvalidParameterValue", True)]}, whole=[refused])
    assert sent(server, entries(3)) == [None, Code.INVALID, None]
    assert server.calls == [[0, 1, 2], [0], [1], [2]]


def test_after_a_lost_connection_nothing_more_is_tried():
    lost = DriverError(Code.UNAVAILABLE, "reset", outcome=Applied.UNKNOWN)
    lost.__cause__ = ConnectionResetError()
    server = Server(whole=[lost])
    errors = Batches(server, "send_message_batch").send("url", entries(25), Deadline.after(5))
    assert [error.outcome for error in errors] == [Applied.UNKNOWN] * 10 + [Applied.NOT_APPLIED] * 15
    assert {error.code for error in errors} == {Code.UNAVAILABLE}
    assert len(server.calls) == 1


def test_a_deadline_ends_it():
    errors = Batches(Server(), "send_message_batch").send("url", entries(25), Deadline.after(-1))
    assert [error.code for error in errors] == [Code.TIMEOUT] * 25
    assert {error.outcome for error in errors} == {Applied.NOT_APPLIED}


def test_codes_that_mean_it_is_done():
    server = Server({0: [("ReceiptHandleIsInvalid", True)]})
    assert sent(server, entries(1), harmless=frozenset({"ReceiptHandleIsInvalid"})) == [None]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", Code.NOT_FOUND),
        ("ReceiptHandleIsInvalid", Code.LEASE_LOST),
        ("MessageNotInflight", Code.LEASE_LOST),
        ("AccessDenied", Code.AUTH),
        ("OverLimit", Code.EXHAUSTED),
        ("SomethingNew", Code.INVALID),
    ],
)
def test_codes_of_entries(code, wanted):
    assert sent(Server({0: [(code, True)]}), entries(1)) == [wanted]
