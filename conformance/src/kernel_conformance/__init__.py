"""The conformance suite for plugins of `kernel`; see :mod:`kernel_conformance.harness` for what exists today."""

from kernel_conformance.harness import GROUP, Announced, harnesses

__all__ = ["GROUP", "Announced", "harnesses"]
