"""``celery.contrib.testing.app``: applications for tests, in memory, that leave no trace behind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NoReturn

from kernel.app.current import holder
from kernel.app.shared import blueprints
from plugin_compat_celery.app.base import Celery
from plugin_compat_celery.app.log import Logging
from plugin_compat_celery.contrib.testing import tasks as tasks  # celery.ping, for every application of a test

DEFAULT_TEST_CONFIG: Mapping[str, Any] = {
    "worker_hijack_root_logger": False,
    "worker_log_color": False,
    "accept_content": {"json"},
    "enable_utc": True,
    "timezone": "UTC",
    "broker_url": "memory://",
    "result_backend": "cache+memory://",
}
"""Settings of an application for tests where it says nothing else: broker and results in this process."""


class Trap:
    """Stands in the current application's place and fails the test that uses it."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") or name == "_is_coroutine":
            raise AttributeError(name)  # unittest.mock and copy ask for these
        raise RuntimeError(f"Test depends on current_app (for {name!r}): pass the application instead")


class UnitLogging(Logging):
    """Leaves the logging of the test's process alone."""

    already_setup = True

    def setup_logging_subsystem(self, *_settings: Any, **_options: Any) -> None:
        """Nothing is set up."""


def TestApp(  # noqa: N802, PLR0913 - the documented name and parameters
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    enable_logging: bool = False,
    set_as_current: bool = False,
    log: Any = UnitLogging,
    backend: str | None = None,
    broker: str | None = None,
    **kwargs: Any,
) -> Celery:
    """An application for tests.

    Args:
        name: its main name; ``celery.tests`` when it has none.
        config: settings, over :data:`DEFAULT_TEST_CONFIG`.
        enable_logging: let it set up logging as any other does.
        set_as_current: become the current application.
        log: class of ``app.log``.
        backend: result backend URL.
        broker: broker URL.
        kwargs: further arguments of :class:`~plugin_compat_celery.app.base.Celery`.
    """
    settings = {**deepcopy(dict(DEFAULT_TEST_CONFIG)), **(config or {})}
    for given, setting in ((broker, "broker_url"), (backend, "result_backend")):
        if given is not None:
            settings.pop(setting, None)
    app = Celery(
        name or "celery.tests",
        set_as_current=set_as_current,
        log=None if enable_logging else log,
        broker=broker,
        backend=backend,
        **kwargs,
    )
    app.add_defaults(settings)
    return app


TestApp.__test__ = False  # type: ignore[attr-defined] # pytest takes its name for that of a test


@contextmanager
def set_trap(app: Any) -> Iterator[None]:
    """Make every use of the current application an error within a block; ``app`` itself may be used all the same."""
    del app
    before = holder.current
    holder.set(Trap())
    try:
        yield
    finally:
        holder.set(before)


@contextmanager
def setup_default_app(app: Any, use_trap: bool = False) -> Iterator[None]:
    """Restore the current application and shared tasks when a block ends, and close the application of the test.

    Args:
        app: the application of the test.
        use_trap: as :func:`set_trap` within the block.
    """
    current, shared = holder.current, dict(blueprints)
    try:
        if use_trap:
            with set_trap(app):
                yield
        else:
            yield
    finally:
        holder.set(current)
        for name in blueprints.keys() - shared.keys():
            del blueprints[name]
        if app is not current:
            app.close()
