"""The JSON Schema of ``kernel.toml``, for editors that check and complete it."""

import math
from collections.abc import Mapping
from datetime import timedelta
from types import NoneType
from typing import Any, get_args

from kernel.app.setting_table import SETTINGS, Setting
from kernel.model.options import RetryPolicy

_POLICY: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_retries": {"type": "integer", "minimum": 0},
        **{f"interval_{part}": {"type": "number", "minimum": 0} for part in ("start", "step", "max")},
    },
}
_ANYTHING: Mapping[str, Any] = {"type": ["object", "array", "string"]}
_NOT_IN_TOML = (NoneType, timedelta)


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12): one table ``[kernel]`` with the settings; an unknown key is an error."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kernel.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "kernel": {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: _setting(setting) for name, setting in SETTINGS.items()},
            }
        },
    }


def _setting(setting: Setting) -> dict[str, Any]:
    pairs = zip(setting.members, setting.kinds, strict=True)
    shapes = [_shape(setting, member, kind) for member, kind in pairs if kind not in _NOT_IN_TOML]
    schema: dict[str, Any] = dict(shapes[0]) if len(shapes) == 1 else {"anyOf": shapes}
    schema["description"] = setting.doc
    default = setting.default
    if default is not None and default != math.inf:  # neither can be written in JSON
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


def _shape(setting: Setting, member: Any, kind: Any) -> dict[str, Any]:
    if kind is RetryPolicy:
        return dict(_POLICY)
    if kind is Any:
        return dict(_ANYTHING)
    if kind is Mapping:
        return {"type": "object"}
    if kind is tuple:
        items = {"type": "string"} if get_args(member)[0] is str else {"type": ["string", "object"]}
        return {"type": "array", "items": items}
    if kind in (int, float):
        shape: dict[str, Any] = {"type": "integer" if kind is int else "number", "minimum": setting.minimum}
    else:
        shape = {"type": "boolean" if kind is bool else "string"}
    allowed = [choice for choice in setting.choices if type(choice) is kind]
    return {"type": shape["type"], "enum": allowed} if allowed else shape
