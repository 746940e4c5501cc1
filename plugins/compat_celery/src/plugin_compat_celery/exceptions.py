"""``celery.exceptions`` (features.md 2.15)."""

from kernel.exceptions import *  # noqa: F403 - the kernel's exceptions under their familiar place
