"""A node's ear for remote control: one thread that takes requests, has them carried out, and answers (wire.md 12).

Nothing a request contains or causes reaches the node: what cannot be read is named in the log, what fails is answered
with its error. Commands of the application run in a second thread, so that a slow one keeps no other waiting.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol
from uuid import uuid4

from kernel.contracts.broker import Broker, Delivery, Outgoing, Settle, SettleKind
from kernel.contracts.deadline import Deadline
from kernel.engine.control import concerns, over, read_request
from kernel.errors import DriverError, KernelError
from kernel.model.control import ControlRequest, ReplyTo
from kernel.model.topology import Exchange
from kernel.runtime.link import Link, LinkPolicy
from kernel.runtime.panel import Command
from kernel.runtime.requester import Wiring, control_names

_BATCH = 100
_RETRY_S = 5.0
_REPLY_S = 2.0
_LAST_S = 2.0


class _Log(logging.LoggerAdapter[logging.Logger]):
    """Says what it is about: the node's own connection is told of in the same words."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Put the topic before a line."""
        return f"Remote control: {msg}", kwargs


logger = _Log(logging.getLogger("kernel.control"))


class Duties(Protocol):
    """What the thread does besides; :class:`kernel.runtime.duties.Duties`."""

    def do(self) -> float:
        """A short turn; seconds until the next is wanted, at the latest."""


class _Opening:
    """The broker that carries remote control, for a link."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    @property
    def broker(self) -> Broker:
        """Open."""
        return self._wiring.open_control(Deadline.after(self._wiring.config.broker_connection_timeout))


class ControlLoop:
    """Listens from :meth:`start` to :meth:`close`; comes back by itself when the broker does.

    Args:
        wiring: settings, codec and the broker.
        hostname: the node's name.
        commands: by name; looked at for every request.
        state: what a command gets first.
        duties: what else there is to do.
        answers: whether anything is to be said to a command of that name, now; None is always, be it an error.
    """

    def __init__(
        self,
        wiring: Wiring,
        hostname: str,
        commands: Mapping[str, Command],
        state: object,
        duties: Duties,
        answers: Callable[[str], bool] | None = None,
    ) -> None:
        self._wiring = wiring
        self._hostname = hostname
        self._commands = commands
        self._state = state
        self._duties = duties
        self._answers = answers
        self._link = self._new_link()
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="kernel-control", daemon=True)
        self._slow: _SlowLane | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it listens; whether it does."""
        return self._listening.wait(timeout_s)

    def close(self) -> None:
        """End; what is being carried out may finish for a moment."""
        self._stop.set()
        self._link.wake()
        if self._thread.ident is not None:
            self._thread.join(_LAST_S)
        if self._slow is not None:
            self._slow.close()

    def _new_link(self) -> Link:
        config = self._wiring.config
        queue = control_names(config).node_queue(self._hostname)
        policy = LinkPolicy(timeout_s=config.broker_connection_timeout)
        return Link(_Opening(self._wiring), [queue], [queue.name], policy, log=logger)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except DriverError as error:  # such as a second node of this name: it may go away
                self._complain(error)
                self._link = self._new_link()
                self._stop.wait(_RETRY_S)
            except Exception:
                logger.exception("a defect of ours; it goes on")
                self._stop.wait(_RETRY_S)
        self._link.close(release=False)

    def _turn(self) -> None:
        wait_s = self._do_duties()
        if not self._link.connect():
            self._stop.wait(max(self._link.retry_in(), 0.01))
            return
        self._told = ""
        self._listening.set()
        deliveries = self._link.receive(_BATCH, wait_s)
        if not deliveries:
            return
        with suppress(
            DriverError
        ):  # before they are carried out: nobody is to be restarted by a command again and again
            self._link.settle([Settle(each, SettleKind.ACK) for each in deliveries])
        for delivery in deliveries:
            try:
                self._take(delivery)
            except Exception:
                logger.exception("a defect of ours: a message is dropped")

    def _do_duties(self) -> float:
        """Whatever becomes of them, the node listens."""
        try:
            return self._duties.do()
        except Exception:
            logger.exception("a defect of ours: what is to be done besides is tried again")
            return _RETRY_S

    def _complain(self, error: DriverError) -> None:
        """Once for each reason."""
        text = error.one_line()
        if text != self._told:
            self._told = text
            logger.error("this node cannot be controlled: %s It tries again every %g s.", text, _RETRY_S)

    def _take(self, delivery: Delivery) -> None:
        message = delivery.message
        headers = message.headers or {}
        try:
            body = self._wiring.codec.decode(
                message.body, message.content_type, message.content_encoding, headers.get("compression")
            )
            request = read_request(body, headers)
        except KernelError as error:
            logger.warning("a message is dropped: %s", error.one_line())
            return
        self._wiring.clock.adjust(request.clock)
        if not concerns(request, self._hostname) or not (self._answers is None or self._answers(request.method)):
            return
        command = self._commands.get(request.method)
        if command is not None and command.kind == "inspect" and over(request, time.time()):
            logger.info("nobody waits for %r any more", request.method)
        elif command is None or command.quick:
            self.carry_out(request, command)
        else:
            self._slow = self._slow or _SlowLane(self)
            self._slow.add(request, command)

    def carry_out(self, request: ControlRequest, command: Command | None) -> None:
        """Do what a request asks for, and answer."""
        try:
            if command is None:
                raise KeyError(request.method)  # noqa: TRY301 - told as other nodes of the fleet tell it
            answer = command.function(self._state, **request.arguments)
        except (Exception, SystemExit) as error:  # a thread that ended would answer nobody any more
            logger.warning("command %r failed: %r", request.method, error, exc_info=logger.isEnabledFor(logging.DEBUG))
            answer = {"error": repr(error)}
        if request.reply_to is not None:
            self._answer(request, request.reply_to, answer)

    def _answer(self, request: ControlRequest, address: ReplyTo, answer: object) -> None:
        try:
            self._reply(request, address, answer)
        except KernelError as error:
            logger.warning("the answer to %r cannot be sent: %s", request.method, error.one_line())
            with suppress(KernelError):
                self._reply(request, address, {"error": f"The answer cannot be sent: {error}"[:1000]})

    def _reply(self, request: ControlRequest, address: ReplyTo, answer: object) -> None:
        """Send an answer. One that nobody waits for any more is dropped by the broker, which is no error."""
        deadline = Deadline.after(_REPLY_S)
        encoded = self._wiring.codec.encode({self._hostname: answer}, self._wiring.config.task_serializer, None)
        message = Outgoing(
            queue="",
            body=encoded.body,
            headers={"ticket": request.ticket, "clock": self._wiring.clock.forward()},
            id=str(uuid4()),
            content_type=encoded.content_type,
            content_encoding=encoded.content_encoding,
            exchange=address.exchange,
            routing_key=address.routing_key,
            persistent=False,
        )
        broker = self._wiring.open_control(deadline)
        broker.declare_exchange(Exchange(address.exchange, "direct", durable=False), deadline)
        error = broker.publish([message], deadline)[0].error
        if error is not None:
            raise error


class _SlowLane:
    """Carries out the application's own commands, one after the other."""

    def __init__(self, loop: ControlLoop) -> None:
        self._loop = loop
        self._queue: SimpleQueue[tuple[ControlRequest, Command] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="kernel-control-commands", daemon=True)
        self._thread.start()

    def add(self, request: ControlRequest, command: Command) -> None:
        """One more."""
        self._queue.put((request, command))

    def close(self) -> None:
        """End after the one that runs; a command that goes on for long is left behind."""
        self._queue.put(None)
        self._thread.join(_LAST_S)

    def _run(self) -> None:
        while (wanted := self._queue.get()) is not None:
            try:
                self._loop.carry_out(*wanted)
            except Exception:
                logger.exception("a defect of ours: nobody is answered")
