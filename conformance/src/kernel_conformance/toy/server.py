"""The toy's server: the SQLite broker behind a TCP port. ``python -m kernel_conformance.toy.server PORT FOLDER``."""

import contextlib
import socket
import sys
import threading
from typing import Any

from kernel.contracts import Broker, Consumer, Deadline, PluginContext
from kernel.errors import DriverError
from kernel_conformance.installed import load_installed
from kernel_conformance.toy.frames import receive, send

PASSWORD = "toy-password"
_SECONDS = 20.0


class Session:
    """One connection of a client. What its consumer holds is given back when the connection ends."""

    def __init__(self, connection: socket.socket, broker: Broker) -> None:
        self._connection = connection
        self._broker = broker
        self._consumer: Consumer | None = None

    def run(self) -> None:
        """Answer until the client goes away."""
        with contextlib.suppress(OSError, EOFError), self._connection:
            send(self._connection, receive(self._connection) == PASSWORD)
            while True:
                send(self._connection, self._answer(*receive(self._connection)))
        if self._consumer is not None:
            self._consumer.close(release=True, deadline=Deadline.after(_SECONDS))

    def _answer(self, verb: str, *arguments: Any) -> tuple[str, Any]:
        try:
            return "ok", self._do(verb, *arguments)
        except DriverError as error:
            return "error", error

    def _do(self, verb: str, *arguments: Any) -> Any:
        deadline = Deadline.after(_SECONDS)
        if verb == "consume":
            self._consumer = self._broker.consumer(*arguments)
            return None
        if verb == "settle":
            return self._settle(*arguments)
        if verb == "receive":
            return self._consumer.receive(*arguments) if self._consumer is not None else []
        return getattr(self._broker, verb)(*arguments, deadline)

    def _settle(self, queue: str, actions: Any) -> Any:
        consumer = self._consumer or self._broker.consumer([queue], 0)
        try:
            return consumer.settle(actions, Deadline.after(_SECONDS))
        finally:
            if consumer is not self._consumer:
                consumer.close(release=False, deadline=Deadline.after(_SECONDS))


def main(port: int, folder: str) -> None:
    """Serve until killed."""
    url = f"sqlite:///{folder}/toy.db"
    broker: Broker = load_installed("broker.sqlite").factory("sqlite")(url, {}, PluginContext())
    broker.open(Deadline.after(_SECONDS))
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Session(connection, broker).run, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
