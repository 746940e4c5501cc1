"""Says why a public name of Celery is not here, when somebody asks for it."""

from collections.abc import Callable
from typing import NoReturn

from plugin_compat_celery.adapter.absent_attributes import ATTRIBUTES
from plugin_compat_celery.adapter.absent_names import NAMES


def missing(module: str) -> Callable[[str], NoReturn]:
    """The ``__getattr__`` of a module.

    Args:
        module: its ``__name__``.
    """
    place = module.replace("plugin_compat_celery", "celery", 1)

    def tell(name: str) -> NoReturn:
        raise _error(f"module {module!r} has no attribute {name!r}", NAMES.get(f"{place}:{name}"), name)

    return tell


def missing_attribute(kind: str, name: str) -> AttributeError:
    """The error for an attribute that objects of a class do not have here."""
    return _error(f"{kind!r} object has no attribute {name!r}", ATTRIBUTES.get(f"{kind}.{name}"), name)


def _error(text: str, reason: str | None, name: str) -> AttributeError:
    return AttributeError(f"{text}: {reason}" if reason else text, name=name)
