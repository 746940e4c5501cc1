"""The application layer; ``from kernel.app import app_or_default`` (features.md 1.15)."""

from kernel.app.current import app_or_default

__all__ = ["app_or_default"]
