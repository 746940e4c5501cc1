"""Loggers of tasks: their names stay, their lines go where the worker sends those of tasks."""

import logging
from uuid import uuid4

import pytest

from kernel.utils.log import get_logger, get_task_logger


@pytest.fixture
def name():
    return f"proj{uuid4().hex}"


def test_a_task_logger_keeps_its_name_and_hangs_below_the_tasks(name):
    logger = get_task_logger(f"{name}.tasks")
    assert logger.name == f"{name}.tasks"
    assert logger is logging.getLogger(f"{name}.tasks")
    assert logger.parent is logging.getLogger("kernel.task")
    assert get_task_logger(f"{name}.tasks") is logger


def test_it_still_does_when_its_package_gets_a_logger_later(name, caplog):
    logger = get_task_logger(f"{name}.tasks")
    get_task_logger(name)
    logging.getLogger(name)
    with caplog.at_level(logging.INFO, "kernel.task"):
        logger.info("seen")
    assert [record.name for record in caplog.records] == [f"{name}.tasks"]


def test_a_child_of_a_task_logger_is_left_where_it_is(name):
    parent = get_task_logger(name)
    child = get_task_logger(f"{name}.deep")
    assert child.parent is parent


def test_a_plain_logger_is_left_alone(name):
    assert get_logger(name).parent is logging.getLogger()


@pytest.mark.parametrize("reserved", ["kernel", "kernel.task"])
def test_the_kernels_own_loggers_are_not_given_away(reserved):
    with pytest.raises(ValueError, match="use get_task_logger"):
        get_task_logger(reserved)
