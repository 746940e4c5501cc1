"""A task: the function, what is known of it, and the ways to call it (features.md 1.1, 1.18)."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import time
from typing import Any, Generic, ParamSpec, TypeVar, Unpack

from kernel.app.bridge import in_thread
from kernel.app.eager import EagerResult, apply_locally
from kernel.app.ports import App
from kernel.app.result import AsyncResult as Result
from kernel.app.task_calls import adopt, check_arguments, make_call, producer_of
from kernel.app.task_requests import pop_request, push_request
from kernel.app.task_settings import SETTABLE, Prepared, prepare
from kernel.app.task_signed import SignedTask
from kernel.engine.retry import RetryAsk, schedule_retry
from kernel.errors import Retry
from kernel.model import context
from kernel.model.call import Call
from kernel.model.events import event
from kernel.model.options import CallOptions, TaskOptions

P = ParamSpec("P")
R = TypeVar("R")


class Task(SignedTask[P, R], Generic[P, R]):
    """A task of an application: one object per process, its attributes are its options."""

    _prepared: Prepared | None = None

    # The body

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The body of the task."""
        raise NotImplementedError(f"{type(self).__name__} is a task without a body: define run()")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the body here and now; no message is sent and ``request.called_directly`` is true."""
        running = context.current.get()
        request = context.Request(task=self.name, args=args, kwargs=dict(kwargs))
        if running is not None:
            mine: bool = running.task is self
            if mine and not running.request.called_directly and self.overrides("__call__"):
                return self.run(*args, **kwargs)  # super().__call__() around run(): the same request
            request.parent_id = running.request.id or running.request.parent_id
            request.root_id = running.request.root_id
        token = context.current.set(context.Running(self, request))
        try:
            return self.run(*args, **kwargs)
        finally:
            context.current.reset(token)

    # Sending

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """Send the task with these arguments; for execution options use :meth:`apply_async`."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[R]:
        """Send the task.

        Args:
            args: positional arguments, a list or tuple.
            kwargs: keyword arguments.
            options: how it is sent and run (features.md 1.1), such as ``countdown=10`` or ``queue='hipri'``.

        Raises:
            TypeError: for arguments that do not fit the task (unless ``typing=False``), or an unknown option.
            ValueError: for an option outside its range.
            OperationalError: when the broker did not take the message, after the retries of the publish policy.
            EncodeError: for an argument that the serializer cannot carry.
        """
        prepared, app = self.prepared, self.app
        call = self._call(prepared, args, kwargs, options)
        if prepared.eager:
            return apply_locally(app, call, serialize=True)
        (producer_of(options) or app.pool).publish((call,))
        adopt([[call.id, None], None], options)
        ignored = call.options.get("ignore_result")
        return Result(call.id, app, ignored=bool(self.ignore_result if ignored is None else ignored))

    def call(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Call:
        """The checked call that :meth:`apply_async` sends."""
        return self._call(self.prepared, args, kwargs, options)

    def _call(self, prepared: Prepared, args: object, kwargs: object, options: Mapping[str, Any]) -> Call:
        positional, named = check_arguments(args, kwargs)
        if prepared.check is not None:
            prepared.check(*positional, **named)
        if prepared.shadowed and not options.get("shadow"):
            options = {**options, "shadow": self.shadow_name(positional, named, options)}
        return make_call(self.name, positional, named, options, prepared.config)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """:meth:`delay` for asyncio."""
        return await in_thread(self.apply_async, args, kwargs)

    async def aapply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[R]:
        """:meth:`apply_async` for asyncio."""
        return await in_thread(self.apply_async, args, kwargs, **options)

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        throw: bool | None = None,
        **options: Unpack[CallOptions],
    ) -> EagerResult[R]:
        """Run the task here and now as a worker would: handlers, retries, callbacks; no message is sent.

        Args:
            args: positional arguments.
            kwargs: keyword arguments.
            throw: raise the task's error; None follows ``task_eager_propagates``.
            options: the execution options that make sense here; times are not waited for.
        """
        return apply_locally(self.app, self.call(args, kwargs, options), throw=throw)

    # Inside a running task

    @property
    def request(self) -> context.Request:
        """The call that runs here now; an empty one when none does (features.md 1.21)."""
        running = context.current.get()
        return running.request if running is not None and running.task is self else context.Request()

    push_request = push_request
    pop_request = pop_request

    def retry(  # noqa: PLR0913 - the documented parameters of retry (features.md 1.23)
        self,
        args: Sequence[Any] | BaseException | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """Run this task again later: same id, same queue, one retry more. Write ``raise self.retry(exc=exc)``.

        Args:
            args: other arguments; an exception in this place is taken as ``exc``.
            kwargs: other keyword arguments.
            exc: why; raised when the retries are used up.
            throw: False returns the ``Retry`` instead of raising it; the task is retried when it returns.
            eta: when, as a point in time.
            countdown: when, in seconds; ``default_retry_delay`` when neither is given.
            max_retries: for this call; None takes the task's.
            options: further execution options.

        Raises:
            Retry: to end this run.
            MaxRetriesExceededError: when the retries are used up and there is no ``exc``.
        """
        if isinstance(args, BaseException):
            args, exc = None, args
        request = self.request
        if request.called_directly:
            raise exc or sys.exception() or Retry("Task can be retried", None)
        positional = None if args is None else tuple(args)
        ask = RetryAsk(positional, kwargs, exc, eta, countdown, max_retries, options or None)
        scheduled = schedule_retry(self.task_options, request, ask, time())
        if throw:
            raise scheduled
        request.pending_retry = scheduled
        return scheduled

    def update_state(self, task_id: str | None = None, state: str | None = None, meta: object = None) -> None:
        """Store a state of this run, any text, with ``meta`` as ``result.info`` (features.md 1.4).

        Nothing is stored without a result backend, nor by an eager run unless ``task_store_eager_result`` is on.

        Raises:
            ValueError: without a task id, as in a plain call, or without a state.
        """
        request = self.request
        if task_id is not None and task_id != request.id:
            request = context.Request(id=task_id, task=self.name, called_directly=False)
        if not request.id or not state:
            raise ValueError(
                "update_state needs a state and a task that runs; in a plain call request.called_directly is true"
            )
        client = self.app.client
        if client.results.enabled and (not request.is_eager or client.config.task_store_eager_result):
            client.results.store_state(request, state, meta)

    def add_trail(self, result: Result[Any]) -> Result[Any]:
        """Note a result among the ``children`` of this run's result; returns it."""
        if self.trail:
            self.request.children.append(result.as_tuple())
        return result

    def send_event(self, type_: str, **fields: Any) -> None:
        """Publish a monitoring event of this run, such as ``task-progress`` (wire.md 13)."""
        self.app.client.emit([event(type_, time(), uuid=self.request.id, **fields)])

    # The application

    @property
    def app(self) -> App:
        """The application this task belongs to.

        Raises:
            RuntimeError: for a task object that was never registered.
        """
        if self.owner is None:
            raise RuntimeError(f"{type(self).__name__} belongs to no application: register it, app.register_task(task)")
        return self.owner

    @property
    def backend(self) -> Any:
        """The result backend of the application, None when results are off."""
        return self.app.client.services.backend

    @property
    def prepared(self) -> Prepared:
        """What is looked up once per configuration; finalizes the application."""
        app, prepared = self.owner, self._prepared
        if app is not None and prepared is not None and prepared.config is app.config:
            return prepared
        app = self.app
        config = app.config
        app.tasks  # noqa: B018 - finalizes, so that annotations and settings are applied to a complete registry
        prepared = self._prepared = prepare(self, config, self.overrides)
        return prepared

    @property
    def task_options(self) -> TaskOptions:
        """The frozen options that workers go by."""
        return self.prepared.options

    @property
    def body(self) -> Any:
        """What a worker calls: ``run``, or ``__call__`` of a subclass that wraps it."""
        return self.__call__ if self.prepared.wrapped else self.run

    @property
    def has_handlers(self) -> bool:
        """Whether any handler is overridden."""
        return self.prepared.handlers

    def overrides(self, name: str) -> bool:
        """Whether a subclass, an option or an annotation replaced a method of this class."""
        return getattr(type(self), name) is not getattr(Task, name) or name in vars(self)

    def AsyncResult(self, task_id: str) -> Result[R]:  # noqa: N802 - the documented name
        """The result of an earlier call of this task."""
        return Result(task_id, self.app)

    def get_publisher(self, connection: Any = None) -> Any:
        """A producer on a connection of ``app.pool`` (features.md 1.12)."""
        return self.app.amqp.Producer(connection)

    def __setattr__(self, name: str, value: object) -> None:
        """An option set on the task takes effect with the next call."""
        if name in SETTABLE:
            own = vars(self)
            own["_settled"] = own.get("_settled", frozenset()) - {name}
            own["_prepared"] = None
        object.__setattr__(self, name, value)

    def __evaluated__(self) -> bool:
        """Always true: a task is a real object from its definition on; only its settings are read late."""
        return True

    def __repr__(self) -> str:
        app = self.owner
        where = f" of {app.main or '__main__'} at {id(app):#x}" if app is not None else " (unbound)"
        return f"<@task: {self.name or type(self).__name__}{where}>"
