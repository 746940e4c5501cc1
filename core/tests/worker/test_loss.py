"""What becomes of a task whose executor is gone: the whole table."""

from dataclasses import replace
from itertools import product

import pytest

from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Loss, LossCause
from kernel.engine.loss import Lost, on_loss
from kernel.errors import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from kernel.model import states
from kernel.model.options import TaskOptions

LATE = TaskOptions("work", acks_late=True)
KILLED = Loss(1, LossCause.EXITED, exitcode=-9)
OVERDUE = Loss(1, LossCause.HARD_LIMIT)
TERMINATED = Loss(1, LossCause.TERMINATED)

TABLE = [
    # what happened, options, acked, attempt → settlement, stored error, state
    (KILLED, LATE, True, 1, None, WorkerLostError, states.FAILURE),
    (KILLED, LATE, False, 1, SettleKind.RELEASE, None, None),
    (KILLED, LATE, False, 2, SettleKind.RELEASE, None, None),
    (KILLED, LATE, False, 3, SettleKind.REJECT, WorkerLostError, states.FAILURE),
    (KILLED, LATE, False, 4, SettleKind.REJECT, WorkerLostError, states.FAILURE),
    (KILLED, LATE, False, None, SettleKind.RELEASE, None, None),
    (KILLED, replace(LATE, reject_on_worker_lost=False), False, 1, SettleKind.ACK, WorkerLostError, states.FAILURE),
    (OVERDUE, LATE, True, 1, None, TimeLimitExceeded, states.FAILURE),
    (OVERDUE, LATE, False, 1, SettleKind.ACK, TimeLimitExceeded, states.FAILURE),
    (OVERDUE, replace(LATE, acks_on_timeout=False), False, 1, SettleKind.REJECT, TimeLimitExceeded, states.FAILURE),
    (OVERDUE, replace(LATE, acks_on_timeout=False), True, 1, None, TimeLimitExceeded, states.FAILURE),
    (TERMINATED, LATE, True, 1, None, TaskRevokedError, states.REVOKED),
    (TERMINATED, LATE, False, 1, SettleKind.ACK, TaskRevokedError, states.REVOKED),
]


@pytest.mark.parametrize(("loss", "options", "acked", "attempt", "kind", "error", "state"), TABLE)
def test_the_table(loss, options, acked, attempt, kind, error, state):
    decided = on_loss(Lost(loss, options, acked, attempt, hard_limit=5.0), delivery_limit=3)
    assert decided.kind is kind
    if error is None:
        assert decided.error is None
    else:
        assert isinstance(decided.error, error)
        assert decided.state == state
    assert bool(decided.reason) == (kind is SettleKind.REJECT)


def test_a_hard_limit_names_its_seconds():
    assert on_loss(Lost(OVERDUE, LATE, True, 1, hard_limit=5.0), 3).error.args == (5.0,)


def test_a_cold_shutdown_costs_a_late_task_nothing_whatever_its_options():
    for reject, attempt in product([True, False], [1, 3, 9]):
        options = replace(LATE, reject_on_worker_lost=reject)
        decided = on_loss(Lost(KILLED, options, acked=False, attempt=attempt, by_shutdown=True), 3)
        assert decided.kind is SettleKind.RELEASE
        assert decided.error is None


def test_a_cold_shutdown_fails_an_acknowledged_task():
    decided = on_loss(Lost(KILLED, LATE, acked=True, by_shutdown=True), 3)
    assert decided.kind is None
    assert "shut down" in str(decided.error)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (KILLED, "killed by signal 9"),
        (Loss(1, LossCause.EXITED, exitcode=3), "exited with code 3"),
        (Loss(1, LossCause.EXITED), "Executor ended"),
    ],
)
def test_the_error_tells_how_the_executor_died(loss, words):
    assert words in str(on_loss(Lost(loss, LATE, acked=True), 3).error)


def test_every_message_that_is_still_held_is_settled():
    for loss, reject, timeout, attempt in product(
        [KILLED, OVERDUE, TERMINATED], [True, False], [True, False], [None, 1, 5]
    ):
        options = replace(LATE, reject_on_worker_lost=reject, acks_on_timeout=timeout)
        held = on_loss(Lost(loss, options, False, attempt, 1.0), 3)
        assert held.kind is not None
        assert held.error is not None or held.kind is SettleKind.RELEASE
        assert on_loss(Lost(loss, options, True, attempt, 1.0), 3).kind is None


def test_the_signal_that_ended_a_task_by_command_is_told():
    assert on_loss(Lost(replace(TERMINATED, exitcode=-9), LATE, True), 3).signum == 9
    assert on_loss(Lost(TERMINATED, LATE, True), 3).signum is None
    assert on_loss(Lost(KILLED, LATE, True), 3).signum is None
