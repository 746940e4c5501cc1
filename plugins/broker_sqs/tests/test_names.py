import pytest

from kernel.errors import Code, DriverError
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import read_settings


def names(namespace="kernel", **options):
    return QueueNames(read_settings("sqs://", options, namespace))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("kernel", "kernel"), ("kernel.quarantine", "kernel--quarantine"), ("Hi_pri-1", "Hi_pri-1"), ("a.fifo", "a.fifo"),
     ("a.b.fifo", "a--b.fifo")],
)  # fmt: skip
def test_own_names(name, wanted):
    mapped = names()
    assert mapped.at_server(name) == wanted
    assert mapped.here(wanted) == name
    assert names().here(wanted) == name, "also in a process that never met it"


@pytest.mark.parametrize(
    "name", ["a--b", "a-.b", "a.-b", "a b", "größe", "a/b", "", "a\n", "x" * 81, "x" * 76 + ".fifo", "x.y" * 25]
)
def test_impossible_names(name):
    with pytest.raises(DriverError) as caught:
        names().at_server(name)
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("celery", "celery"), ("a.b", "a-b"), ("a:b/c", "a_b_c"), ("jobs.fifo", "jobs.fifo"), ("a.b.fifo", "a-b.fifo")],
)
def test_names_in_celerys_namespace(name, wanted):
    assert names("celery").at_server(name) == wanted


def test_two_names_that_celery_makes_one_are_refused():
    mapped = names("celery")
    mapped.at_server("a.b")
    with pytest.raises(DriverError, match=r"both it and 'a\.b'"):
        mapped.at_server("a-b")


def test_the_option_fifo_adds_the_ending():
    mapped = names(fifo=True, queue_name_prefix="prod-")
    assert mapped.at_server("jobs") == "prod-jobs.fifo"
    assert mapped.here("prod-jobs.fifo") == "jobs"
    assert mapped.is_fifo("jobs")
    with pytest.raises(DriverError, match="adds this ending"):
        mapped.at_server("jobs.fifo")


def test_a_predefined_queue_is_what_its_url_says():
    mapped = names(predefined_queues={"jobs": "https://sqs.eu-west-1.amazonaws.com/1/Orders.fifo"})
    assert mapped.is_fifo("jobs")
    assert not mapped.is_fifo("other")
