"""A node that starts asks the others which tasks were revoked (wire.md 12, "Mingle at start")."""

import logging
import threading
import time

from kernel.errors import KernelError
from kernel.model.control import ControlRequest, Reply
from kernel.runtime.requester import Requester, Wiring
from kernel.runtime.revoking import Revoking

logger = logging.getLogger("kernel.worker")

ANSWERS_S = 1.0
"""How long answers count."""
QUIET_S = 0.25
"""Without an answer for this long nobody else is expected to give one, and the node begins; late ones still count."""


class Mingle:
    """Asks in a thread of its own, while the pool starts.

    Args:
        wiring: settings, codec and the broker.
        hostname: name of the node.
        revoking: tells what is known here, and takes what others know.
    """

    def __init__(self, wiring: Wiring, hostname: str, revoking: Revoking) -> None:
        self._wiring = wiring
        self._hostname = hostname
        self._revoking = revoking
        self._heard = 0
        self._news_at = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="kernel-mingle", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._news_at = time.monotonic()
        self._thread.start()

    def wait(self) -> None:
        """Let those answer who are there: a second at most, a quarter of one where nobody is."""
        deadline = time.monotonic() + ANSWERS_S
        while not self._ended.is_set():
            left = min(deadline, self._news_at + QUIET_S) - time.monotonic()
            if left <= 0.0:
                break
            self._ended.wait(left)
        if self._heard:
            logger.info("mingle: sync with %d %s", self._heard, "node" if self._heard == 1 else "nodes")
        else:
            logger.info("mingle: all alone")

    def _ask(self) -> None:
        hello = {"from_node": self._hostname, "revoked": self._revoking.revoked.known()}
        try:
            Requester(self._wiring).ask(ControlRequest("hello", hello), ANSWERS_S, callback=self._answered)
        except KernelError as error:
            logger.warning("mingle: the other nodes cannot be asked: %s", error.one_line())
        except Exception:
            logger.exception("mingle failed")
        finally:
            self._ended.set()

    def _answered(self, reply: Reply) -> None:
        for node, answer in reply.items():
            if node == self._hostname or not isinstance(answer, dict):
                continue
            known = answer.get("revoked")
            self._revoking.merge(known if isinstance(known, (list, dict)) else ())
            self._heard += 1
            self._news_at = time.monotonic()
