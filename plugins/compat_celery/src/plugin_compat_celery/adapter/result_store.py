"""The base of result backends written for Celery that keep results under keys (wire.md 10, 11.1)."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.app.result import result_from_tuple
from kernel.model import states
from plugin_compat_celery.adapter.result_base import Backend


class KeyValueStoreBackend(Backend):
    """Base of backends over a store of keys: a subclass defines ``get``, ``set`` and ``delete``."""

    task_keyprefix = "celery-task-meta-"
    group_keyprefix = "celery-taskset-meta-"
    chord_keyprefix = "chord-unlock-"
    implements_incr = False

    @staticmethod
    def key_t(key: Any) -> Any:
        """A key as the store takes it: bytes, unless a subclass says otherwise."""
        return key.encode() if isinstance(key, str) else key

    @abstractmethod
    def get(self, key: Any) -> Any:
        """The value of a key, None when there is none."""

    @abstractmethod
    def set(self, key: Any, value: Any) -> Any:
        """Keep it."""

    @abstractmethod
    def delete(self, key: Any) -> Any:
        """Remove it."""

    def mget(self, keys: Sequence[Any]) -> Any:
        """The values of several keys."""
        return [self.get(key) for key in keys]

    def get_key_for_task(self, task_id: str, key: str = "") -> Any:
        """The key of a task's state."""
        return self._key(self.task_keyprefix, task_id, key)

    def get_key_for_group(self, group_id: str, key: str = "") -> Any:
        """The key of a saved group."""
        return self._key(self.group_keyprefix, group_id, key)

    def _key(self, prefix: Any, name: str, rest: str) -> Any:
        text = prefix.decode() if isinstance(prefix, bytes) else prefix
        return self.key_t(f"{text}{name}{rest}")

    def _set_with_state(self, key: Any, value: Any, state: str) -> Any:
        del state
        return self.set(key, value)

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **kwargs: Any
    ) -> Any:
        del kwargs
        meta = self._get_result_meta(result, state, traceback, request)
        meta["task_id"] = task_id
        self._set_with_state(self.get_key_for_task(task_id), self.encode(meta), state)
        return result

    def _get_task_meta_for(self, task_id: str) -> Mapping[str, Any]:
        found = self.get(self.get_key_for_task(task_id))
        return self.decode_result(found) if found else {"status": states.PENDING, "result": None}

    def _forget(self, task_id: str) -> None:
        self.delete(self.get_key_for_task(task_id))

    def _save_group(self, group_id: str, result: Any) -> Any:
        self._set_with_state(
            self.get_key_for_group(group_id), self.encode({"result": result.as_tuple()}), states.SUCCESS
        )
        return result

    def _restore_group(self, group_id: str) -> Mapping[str, Any] | None:
        found = self.get(self.get_key_for_group(group_id))
        if not found:
            return None
        meta = self.decode(found)
        return {**meta, "result": result_from_tuple(meta["result"], self.app)}

    def _delete_group(self, group_id: str) -> None:
        self.delete(self.get_key_for_group(group_id))
