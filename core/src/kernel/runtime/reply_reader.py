"""Takes results out of the reply queue as they come: one thread, the way back after a loss included."""

import logging
import threading
from collections.abc import Callable, Sequence

from kernel.contracts.backend import Record
from kernel.contracts.broker import Delivery, Outgoing, Settle, SettleKind
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.runtime.link import Link
from kernel.runtime.mailbox import Mailbox

logger = logging.getLogger("kernel.replies")

BATCH = 1000
_WAIT_S = 10.0
_FULL_S = 0.1


class ReplyReader:
    """Fills a mailbox while it runs.

    The queue outlives the connection: after a loss it is declared and consumed again, and what came meanwhile is there.

    Args:
        link: the way to the reply queue.
        mailbox: where results go.
        read: the record in a message; None for one that is no result.
    """

    def __init__(self, link: Link, mailbox: Mailbox, read: Callable[[Outgoing], Record | None]) -> None:
        self._link = link
        self._mailbox = mailbox
        self._read = read
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._failed = False
        self._number = 0
        self._thread = threading.Thread(target=self._run, name="kernel-replies", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive() and not self._failed

    def start(self) -> None:
        """Begin; once."""
        self._number = self._mailbox.begin()
        self._thread.start()

    def look(self, deadline: Deadline) -> None:
        """Wait until what lay in the queue at the start was taken, or it could not be."""
        self._looked.wait(deadline.left())

    def stop(self, deadline: Deadline) -> None:
        """End; what was received and not kept goes back to the queue. Idempotent."""
        self._stop.set()
        self._link.wake()
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(deadline.left())

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except DriverError as error:  # hopeless: waiting does not cure it
            self._fail(error)
        except Exception as error:
            logger.exception("The thread that reads results has failed")
            self._fail(DriverError(Code.INTERNAL, f"Results are not read any more: {error!r}"))
        finally:
            self._looked.set()
            self._link.close(release=True)

    def _fail(self, error: DriverError) -> None:
        self._failed = True  # first, so that whoever asks again after the error starts another reader
        self._mailbox.fail(self._number, error)

    def _turn(self) -> None:
        if not self._link.connect():
            self._looked.set()
            self._stop.wait(max(self._link.retry_in(), 0.01))
        elif not self._mailbox.has_room:
            self._stop.wait(_FULL_S)
        else:
            self._take(self._link.receive(BATCH, _WAIT_S if self._looked.is_set() else 0.0))

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            self._looked.set()
            return
        records = [record for each in deliveries if (record := self._read(each.message)) is not None]
        self._mailbox.put(records)
        try:
            self._link.settle([Settle(each, SettleKind.ACK) for each in deliveries])
        except DriverError as error:
            self._link.lose(error)  # they come again, and change nothing then
