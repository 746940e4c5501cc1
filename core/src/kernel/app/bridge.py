"""The one bridge from ``await`` to the synchronous verbs: ``adelay``, ``aapply_async``, ``aget`` (contracts.md)."""

from collections.abc import Callable
from importlib import import_module
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``call``, run in a thread of the running event loop, in the caller's context."""
    asyncio = import_module("asyncio")  # imported here so that programs without an event loop do not pay for it
    return cast(T, await asyncio.to_thread(call, *args, **kwargs))
