"""Cameras under the module name that users of the calling API know."""

from kernel.app.snapshot import Polaroid

__all__ = ["Polaroid"]
