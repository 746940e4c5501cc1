"""Warnings for what works, but hardly as it was meant (features.md 2.15)."""


class KernelWarning(UserWarning):
    """Base of the kernel's warnings."""


class AlwaysEagerIgnored(KernelWarning):
    """``send_task`` sends a message although ``task_always_eager`` is on: it knows no function to run."""


class DuplicateTaskNameWarning(KernelWarning):
    """Two tasks claim one name; the first one stays."""
