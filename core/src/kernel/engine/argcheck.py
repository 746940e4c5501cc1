"""Does a call fit a task's signature? Asked before a message is sent (features.md 1.1, 1.18).

The answer must read as Python's own (``add() missing 1 required positional argument: 'y'``) and must not run the
task. So the task's parameter list is put on a function that does nothing, and that function is called.
"""

import inspect
from collections.abc import Callable
from inspect import Parameter
from types import CodeType, FunctionType
from typing import Any

ArgumentCheck = Callable[..., None]
"""Called with the arguments of a call; raises ``TypeError`` when they do not fit."""


def _nothing() -> None:
    """Whose code does nothing, and is given other parameters."""


_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def argument_check(function: Callable[..., Any], *, bound: bool = False) -> ArgumentCheck | None:
    """A check for calls of ``function``, or None for one that does not tell its parameters (some builtins).

    Args:
        function: the task's function.
        bound: its first parameter is the task itself and is not the caller's business.
    """
    try:
        parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):
        return None
    if bound and parameters and parameters[0].kind in _POSITIONAL:
        del parameters[0]
    return _function(_code(getattr(function, "__name__", type(function).__name__), parameters), parameters)


def _code(name: str, parameters: list[Parameter]) -> CodeType:
    """The code of a function of that name and those parameters that does nothing."""
    ordered = sorted(parameters, key=_place)
    kinds = [parameter.kind for parameter in parameters]
    flags = _nothing.__code__.co_flags
    if Parameter.VAR_POSITIONAL in kinds:
        flags |= inspect.CO_VARARGS
    if Parameter.VAR_KEYWORD in kinds:
        flags |= inspect.CO_VARKEYWORDS
    return _nothing.__code__.replace(
        co_name=name,
        co_qualname=name,
        co_flags=flags,
        co_argcount=sum(kind in _POSITIONAL for kind in kinds),
        co_posonlyargcount=kinds.count(Parameter.POSITIONAL_ONLY),
        co_kwonlyargcount=kinds.count(Parameter.KEYWORD_ONLY),
        co_nlocals=len(ordered),
        co_varnames=tuple(parameter.name for parameter in ordered),
    )


def _place(parameter: Parameter) -> int:
    """Where a code object keeps that kind: named ones first, then ``*args``, then ``**kwargs``."""
    if parameter.kind is Parameter.KEYWORD_ONLY:
        return 1
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return 2
    return 3 if parameter.kind is Parameter.VAR_KEYWORD else 0


def _function(code: CodeType, parameters: list[Parameter]) -> ArgumentCheck:
    given = [p for p in parameters if p.default is not Parameter.empty]
    defaults = tuple(p.default for p in given if p.kind in _POSITIONAL)
    check = FunctionType(code, {}, code.co_name, defaults)
    check.__kwdefaults__ = {p.name: p.default for p in given if p.kind is Parameter.KEYWORD_ONLY}
    return check
