"""The class to derive custom requests from (features.md 1.20)."""

from kernel.runtime.request import Request as Request
