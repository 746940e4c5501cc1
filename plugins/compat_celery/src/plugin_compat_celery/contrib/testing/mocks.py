"""``celery.contrib.testing.mocks``: messages as they come from a broker, without one (wire.md 1)."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from uuid import uuid4


def TaskMessage(  # noqa: N802, PLR0913 - the documented name and parameters
    name: str,
    id: str | None = None,  # noqa: A002
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callbacks: Sequence[Any] | None = None,
    errbacks: Sequence[Any] | None = None,
    chain: Sequence[Any] | None = None,
    shadow: str | None = None,
    utc: bool | None = None,
    **options: Any,
) -> Any:
    """A message of protocol 2: what calls a task stands in its headers, the arguments and what follows in its body.

    Args:
        name: the task's name.
        id: its id; a new one when it has none.
        args: positional arguments.
        kwargs: keyword arguments.
        callbacks: signatures of what follows a success.
        errbacks: signatures of what follows a failure.
        chain: further steps, the last one first.
        shadow: another name for logs.
        utc: whether times are in UTC; a message of protocol 2 always says so itself.
        options: further headers.
    """
    del utc
    task_id = id or str(uuid4())
    payload = (args, dict(kwargs or {}), {"callbacks": callbacks, "errbacks": errbacks, "chain": chain})
    headers = {"id": task_id, "task": name, "shadow": shadow, **options}
    return _message(task_id, headers, payload)


def TaskMessage1(  # noqa: N802, PLR0913 - the documented name and parameters
    name: str,
    id: str | None = None,  # noqa: A002
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callbacks: Sequence[Any] | None = None,
    errbacks: Sequence[Any] | None = None,
    chain: Sequence[Any] | None = None,
    **options: Any,
) -> Any:
    """A message of protocol 1: everything stands in its body. Arguments as of :func:`TaskMessage`."""
    del chain  # protocol 1 has none
    task_id = id or str(uuid4())
    call = {"task": name, "id": task_id, "args": args, "kwargs": dict(kwargs or {})}
    return _message(task_id, {}, {**call, "callbacks": callbacks, "errbacks": errbacks, **options})


def task_message_from_sig(
    app: Any,
    sig: Any,
    utc: bool = True,
    TaskMessage: Callable[..., Any] = TaskMessage,  # noqa: N803 - the documented name
) -> Any:
    """The message that calling a signature would send. It freezes the signature, and takes its links and times out.

    Args:
        app: the application, for its clock.
        sig: the signature.
        utc: as of :func:`TaskMessage`.
        TaskMessage: what makes the message.
    """
    del app
    sig.freeze()
    options = sig.options
    links = {name: _listed(options.pop(name, None)) for name in ("link", "link_error")}
    countdown, eta = options.pop("countdown", None), options.pop("eta", None)
    return TaskMessage(
        sig.task,
        id=sig.id,
        args=sig.args,
        kwargs=sig.kwargs,
        callbacks=links["link"],
        errbacks=links["link_error"],
        eta=_time(countdown or eta),
        expires=_time(options.pop("expires", None)),
        utc=utc,
        **options,
    )


class _Context(Mock):
    """A mock that can stand after ``with``: Python looks for these two on the class."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Lets errors pass."""


def ContextMock(*args: Any, **kwargs: Any) -> Any:  # noqa: N802 - the documented name
    """A mock that is its own context manager; arguments as of ``unittest.mock.Mock``."""
    return _Context(*args, **kwargs)


def _message(task_id: str, headers: Mapping[str, Any], payload: Any) -> Any:
    message = Mock(name=f"TaskMessage-{task_id}")
    message.headers, message.payload = dict(headers), payload
    message.body = json.dumps(payload)
    message.content_type, message.content_encoding = "application/json", "utf-8"
    return message


def _listed(links: Any) -> list[dict[str, Any]] | None:
    if not links:
        return None
    return [dict(each) for each in (links if isinstance(links, (list, tuple)) else [links])]


def _time(value: Any) -> Any:
    """Seconds from now, or a point in time, as ISO 8601 text."""
    if isinstance(value, (int, float)):
        value = datetime.now(UTC) + timedelta(seconds=value)
    return value.isoformat() if isinstance(value, datetime) else value
