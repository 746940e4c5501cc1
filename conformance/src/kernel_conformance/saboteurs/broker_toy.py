"""The toy broker over TCP as a control, and its saboteurs: they are wrong only when the network is."""

from collections.abc import Callable, Sequence
from typing import Any

from kernel.contracts import Consumer, Deadline, Settle, SettleResult
from kernel.errors import Applied, DriverError
from kernel_conformance.saboteurs.saboteur import Saboteur
from kernel_conformance.toy.driver import Line, ToyBroker, ToyConsumer
from kernel_conformance.toy.harness import ToyHarness


class CallsItFailed(ToyBroker):
    """A publish whose answer was lost is said to have had no effect."""

    def ask(self, deadline: Deadline, *request: Any) -> Any:
        try:
            return super().ask(deadline, *request)
        except DriverError as error:
            error.outcome = Applied.NOT_APPLIED
            raise


class PatientLine(Line):
    """Waits for an answer for ever."""

    def ask(self, deadline: Deadline, *request: Any) -> Any:
        return super().ask(Deadline.after(3600), *request)


class HangsInBlackHole(ToyBroker):
    """Its sockets have no timeout."""

    def new_line(self) -> Line:
        return PatientLine(self.address, self.password)


class LeaksNetworkErrors(ToyBroker):
    """Native exceptions of the network escape."""

    def ask(self, deadline: Deadline, *request: Any) -> Any:
        try:
            return super().ask(deadline, *request)
        except DriverError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise


class SettlesOkAfterLoss(ToyBroker):
    """A settlement after the connection was lost is said to be ok, and does nothing."""

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        self.check_open()
        return OkAfterLoss(self, queues, prefetch)


class OkAfterLoss(ToyConsumer):
    """Says ok whatever happened."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        try:
            results = super().settle(actions, deadline)
        except DriverError:
            return [SettleResult() for _ in actions]
        return [SettleResult() if result.error is not None else result for result in results]


class SharesSocket(ToyBroker):
    """A forked child goes on with its parent's socket."""

    def after_fork(self) -> None:
        return


def _toy(name: str, factory: Callable[..., Any], *killed_by: str) -> Saboteur:
    wrong = " ".join((factory.__doc__ or "").split())
    return Saboteur(name, "broker", wrong, lambda: ToyHarness(factory), killed_by)


_CASES = (
    *("BRK-005", "BRK-006", "BRK-021", "BRK-042", "BRK-044", "BRK-046", "BRK-047", "BRK-048", "BRK-049", "BRK-050"),
    *("BRK-051", "BRK-052", "BRK-053", "BRK-067"),
)
SABOTEURS = (
    Saboteur("control-toy", "broker", "Nothing.", ToyHarness, _CASES, control=True),
    _toy("call-it-failed", CallsItFailed, "BRK-047"),
    _toy("hang-in-black-hole", HangsInBlackHole, "BRK-050"),
    _toy("leak-network-error", LeaksNetworkErrors, "BRK-067"),
    _toy("settle-ok-after-loss", SettlesOkAfterLoss, "BRK-049"),
    _toy("share-socket-after-fork", SharesSocket, "BRK-046"),
)
