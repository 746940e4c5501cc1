"""``celery.states`` (features.md 1.4)."""

from kernel.states import *  # noqa: F403 - the kernel's states under their familiar place
