"""What of Celery's public names does not exist here, and why: told at the import, and checked against Celery by a test.

Data, and the two functions that say it.
"""

from collections.abc import Callable, Mapping
from typing import Final, NoReturn

_MODULES: Final[Mapping[str, str]] = {}
MODULES: Final[Mapping[str, str]] = {}
NAMES: Final[Mapping[str, Mapping[str, str]]] = {}


def missing(module: str) -> Callable[[str], NoReturn]:
    """The ``__getattr__`` of a module: tells why a name of Celery's is not there.

    Args:
        module: its ``__name__``.
    """
    absent = NAMES.get(module.replace("plugin_compat_celery", "celery", 1), {})

    def tell(name: str) -> NoReturn:
        reason = absent.get(name)
        raise AttributeError(
            f"module {module!r} has no {name!r}: {reason}"
            if reason
            else f"module {module!r} has no attribute {name!r}",
            name=name,
        )

    return tell


def missing_attribute(kind: str, name: str) -> AttributeError:
    """The error for an attribute that an object of that class does not have here."""
    reason = NAMES.get(kind, {}).get(name)
    text = f"{kind!r} object has no attribute {name!r}"
    return AttributeError(f"{text}: {reason}" if reason else text, name=name)
