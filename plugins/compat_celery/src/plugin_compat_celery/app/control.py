"""``celery.app.control`` (features.md 2.5)."""

from collections.abc import Iterable, Mapping
from typing import Any

from kernel.app.control import Control
from kernel.app.inspect import Inspect
from plugin_compat_celery.adapter.absent import missing


def flatten_reply(reply: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Replies as one mapping, node name → answer; of two from nodes of one name the last stays."""
    return {name: answer for each in reply for name, answer in each.items()}


__getattr__ = missing(__name__)

__all__ = ["Control", "Inspect", "flatten_reply"]
