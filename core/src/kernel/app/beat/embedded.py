"""Beat inside a worker node (``kernel worker -B``)."""

import logging
import threading
from typing import Any

from kernel.app.beat.service import Service

logger = logging.getLogger("kernel.beat")


class EmbeddedService(threading.Thread):
    """Beat as a thread of a worker node.

    Args:
        app: the application.
        options: as :class:`Service`.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(name="Beat", daemon=True)
        self.service = Service(app, **{"remote_control": False, **options})  # the worker answers for its process

    def start(self) -> None:
        """Begin.

        Raises:
            ImproperlyConfigured: when there is no such scheduler, or another beat has its file open.
        """
        self.service.prepare()
        super().start()

    def run(self) -> None:
        """Work until :meth:`stop`; an error ends beat, and is logged, but never the worker."""
        try:
            self.service.start(embedded_process=True)
        except Exception:
            logger.critical("beat: ended by an error; the worker goes on without it", exc_info=True)

    def stop(self, timeout_s: float = 30.0) -> None:
        """End it: what it is sending is sent, and what was sent is written down. Idempotent."""
        self.service.stop()
        if self.ident is not None:
            self.join(timeout_s)
