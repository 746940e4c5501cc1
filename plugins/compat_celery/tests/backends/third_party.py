"""Two result backends as somebody would have written them for Celery: over keys, and over rows of a database."""

import json
from typing import Any

from plugin_compat_celery.backends.base import BaseBackend, KeyValueStoreBackend

KEYS: dict[Any, Any] = {}
ROWS: dict[str, dict[str, Any]] = {}
GROUPS: dict[str, Any] = {}
MADE: list[Any] = []


class KeysBackend(KeyValueStoreBackend):
    """Keys in memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        MADE.append(self)

    def get(self, key: Any) -> Any:
        return KEYS.get(key)

    def set(self, key: Any, value: Any) -> None:
        KEYS[key] = value

    def delete(self, key: Any) -> None:
        KEYS.pop(key, None)


class RowsBackend(BaseBackend):
    """Rows with columns, each encoded by itself, as an object-relational mapper keeps them; arguments by position."""

    supports_autoexpire = False
    subpolling_interval = 0.5
    cleaned = 0
    fail_with: Exception | None = None

    def _get_extended_properties(self, request: Any) -> dict[str, Any]:
        if request is None:
            return {}
        return {
            "task_name": request.task,
            "task_args": self.encode(list(request.args)),
            "worker": request.hostname,
        }

    def _store_result(
        self,
        task_id: str,
        result: Any,
        status: str,
        traceback: str | None = None,
        request: Any = None,
        using: Any = None,
    ) -> Any:
        if self.fail_with is not None:
            raise self.fail_with
        content_type, content_encoding, content = self._encode(result)
        _, _, meta = self._encode({"children": self.current_task_children(request)})
        ROWS[task_id] = {
            "status": status,
            "result": content,
            "content_type": content_type,
            "content_encoding": content_encoding,
            "traceback": traceback,
            "meta": meta,
            **self._get_extended_properties(request),
        }
        return result

    def _get_task_meta_for(self, task_id: str) -> Any:
        row = ROWS.get(task_id)
        if row is None:
            return {"status": "PENDING", "result": None, "task_id": task_id}
        meta = {
            "task_id": task_id,
            "status": row["status"],
            "result": self.decode(row["result"]),
            "traceback": row["traceback"],
            "name": row.get("task_name"),
            "args": row.get("task_args"),
            **json.loads(row["meta"]),
        }
        return self.meta_from_decoded(meta)

    def _forget(self, task_id: str) -> None:
        ROWS.pop(task_id)

    def _save_group(self, group_id: str, result: Any) -> Any:
        GROUPS[group_id] = self.encode(result.as_tuple())
        return result

    def _restore_group(self, group_id: str) -> Any:
        return {"result": self.decode(GROUPS[group_id])} if group_id in GROUPS else None

    def _delete_group(self, group_id: str) -> None:
        GROUPS.pop(group_id, None)

    def cleanup(self) -> None:
        type(self).cleaned += 1
