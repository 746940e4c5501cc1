"""``celery.contrib.django.task``: calls that are sent when the transaction they are made in is committed."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from kernel.app.task import Task


class DjangoTask(Task[..., Any]):
    """The base class of tasks of an application in a Django project."""

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """:meth:`delay`, once the current transaction is committed; never if it is rolled back."""
        _on_commit(partial(self.delay, *args, **kwargs))

    def apply_async_on_commit(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """:meth:`apply_async`, once the current transaction is committed; never if it is rolled back."""
        _on_commit(partial(self.apply_async, args, kwargs, **options))


def _on_commit(call: Any) -> None:
    import_module("django.db.transaction").on_commit(call)


__all__ = ["DjangoTask"]
