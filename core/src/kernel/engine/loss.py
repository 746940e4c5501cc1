"""What becomes of a task whose executor ended without an answer (features.md 1.24, pains P04 and P05)."""

from dataclasses import dataclass

from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Loss, LossCause
from kernel.errors import KernelError, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from kernel.model import states
from kernel.model.options import TaskOptions


@dataclass(frozen=True, slots=True)
class Lost:
    """One lost run as the decision sees it.

    Attributes:
        loss: what the pool says.
        options: the task's options.
        acked: whether the message was acknowledged before the run (early acknowledgement).
        attempt: deliveries of the message so far, this one included; None when the broker cannot count.
        hard_limit: seconds the task was allowed; None for no limit.
        by_shutdown: whether the node ended the executor itself, in a cold shutdown.
    """

    loss: Loss
    options: TaskOptions
    acked: bool
    attempt: int | None = None
    hard_limit: float | None = None
    by_shutdown: bool = False


@dataclass(frozen=True, slots=True)
class LossPlan:
    """What to do: store ``error`` in ``state`` unless it is None, then settle unless ``kind`` is None.

    ``what`` says for the log what happened; ``reason`` goes with a rejected message; ``signum`` is the signal that
    ended a task by command, when one did.
    """

    kind: SettleKind | None
    error: KernelError | None
    what: str
    state: str = states.FAILURE
    reason: str = ""
    signum: int | None = None


def on_loss(lost: Lost, delivery_limit: int) -> LossPlan:
    """Decide on a lost run.

    Args:
        lost: the run.
        delivery_limit: executors one message may cost (``task_delivery_limit``).
    """
    match lost.loss.cause:
        case LossCause.HARD_LIMIT:
            return _timed_out(lost)
        case LossCause.TERMINATED:
            error = TaskRevokedError("terminated")
            return LossPlan(_ack(lost), error, "was terminated", states.REVOKED, signum=_signal(lost.loss))
        case LossCause.EXITED:
            return _exited(lost, delivery_limit)


def _timed_out(lost: Lost) -> LossPlan:
    error = TimeLimitExceeded(lost.hard_limit)
    what = f"exceeded its hard time limit of {lost.hard_limit} s"
    if lost.acked or lost.options.acks_on_timeout:
        return LossPlan(_ack(lost), error, what)
    return LossPlan(SettleKind.REJECT, error, what, reason=what)


def _exited(lost: Lost, delivery_limit: int) -> LossPlan:
    if lost.by_shutdown:
        error = WorkerLostError(f"The worker was shut down while running {lost.options.name}.")
        kind = None if lost.acked else SettleKind.RELEASE
        return LossPlan(kind, error if lost.acked else None, "was ended by the shutdown")
    error = WorkerLostError(f"Executor {_death(lost.loss)} while running {lost.options.name}.")
    what = f"lost its executor, which {_death(lost.loss)}"
    if lost.acked or not lost.options.reject_on_worker_lost:
        return LossPlan(_ack(lost), error, what)
    if lost.attempt is not None and lost.attempt >= delivery_limit:
        reason = f"its executor {_death(lost.loss)}; deliveries: {lost.attempt}, limit: {delivery_limit}"
        return LossPlan(SettleKind.REJECT, error, what, reason=reason)
    return LossPlan(SettleKind.RELEASE, None, what)


def _ack(lost: Lost) -> SettleKind | None:
    return None if lost.acked else SettleKind.ACK


def _signal(loss: Loss) -> int | None:
    return -loss.exitcode if loss.exitcode is not None and loss.exitcode < 0 else None


def _death(loss: Loss) -> str:
    if loss.exitcode is None:
        return "ended"
    if loss.exitcode < 0:
        return f"was killed by signal {-loss.exitcode}"
    return f"exited with code {loss.exitcode}"
