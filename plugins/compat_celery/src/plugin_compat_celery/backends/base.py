"""``celery.backends.base``: bases of result backends of one's own (features.md 2.9)."""

from collections.abc import Mapping
from typing import Any

from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.adapter.result_base import Backend
from plugin_compat_celery.adapter.result_store import KeyValueStoreBackend

BaseBackend = BaseDictBackend = SyncBackendMixin = Backend
"""Names of the same thing: how a client waits is not the backend's affair here."""
BaseKeyValueStoreBackend = KeyValueStoreBackend


class DisabledBackend(Backend):
    """Keeps nothing, and says so to whoever asks."""

    def _store_result(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing is kept."""

    def _get_task_meta_for(self, task_id: str) -> Mapping[str, Any]:
        raise ImproperlyConfigured(
            f"The result of task {task_id} cannot be read: no result backend is configured.", cure="Set result_backend."
        )


__all__ = ["BaseBackend", "DisabledBackend", "KeyValueStoreBackend"]
