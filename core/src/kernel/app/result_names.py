"""Names of a task's result beside those of its documentation, for callers that know them."""

from typing import Any, ClassVar

from kernel.app.ports import App
from kernel.errors import TimeoutError as TaskTimeoutError


class FurtherNames:
    """What a result is also called, and what it is part of."""

    app: App
    id: str
    parent: Any
    TimeoutError: ClassVar[type[Exception]] = TaskTimeoutError
    supports_native_join: ClassVar[bool] = True
    """Results of one application are always read together."""

    @property
    def task_id(self) -> str:
        """The same as ``id``."""
        return self.id

    @property
    def backend(self) -> Any:
        """The result backend of the application, None when results are off."""
        return self.app.client.services.backend

    def as_list(self) -> list[str]:
        """Its id, and those of the steps of a chain before it."""
        return [self.id, *(self.parent.as_list() if hasattr(self.parent, "as_list") else ())]
