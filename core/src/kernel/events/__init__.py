"""Monitoring under the module name that users of the calling API know (features.md 2.6)."""

from kernel.app.events import Event, EventDispatcher, EventReceiver, group_from

__all__ = ["Event", "EventDispatcher", "EventReceiver", "group_from"]
