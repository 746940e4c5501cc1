"""Reading the URL and options that the SQLite broker and backend share."""

import os
from collections.abc import Mapping

from kernel.builtins.sqlite.database import SYNCHRONOUS as LEVELS
from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.urls import masked_url

SYNCHRONOUS = Option(
    str, "normal", "off, normal or full; full also keeps each commit through a loss of power, at a flush per commit"
)


def path(url: str) -> str:
    """The absolute path of the file; a relative one counts from the working directory at this moment.

    Raises:
        DriverError: INVALID.
    """
    prefix, _, name = url.partition("sqlite:///")
    if prefix or not name or name.endswith("/") or "\x00" in name:
        raise DriverError(
            Code.INVALID,
            f"{masked_url(url)!r} does not name an SQLite file",
            cure="Write sqlite:///relative/path.db or sqlite:////absolute/path.db; for a store in memory, memory://name.",
        )
    if "?" in name or "#" in name:
        raise DriverError(
            Code.INVALID,
            f"{masked_url(url)!r} has a part after '?' or '#', which this driver does not read",
            cure="Give options in broker_transport_options or result_backend_transport_options.",
        )
    return os.path.abspath(name)  # noqa: PTH100 - Path.absolute would keep '..'


def synchronous(options: Mapping[str, object]) -> str:
    """The option ``synchronous``.

    Raises:
        DriverError: INVALID.
    """
    value = options.get("synchronous", SYNCHRONOUS.default)
    if value not in LEVELS:
        raise DriverError(
            Code.INVALID, f"Option synchronous={value!r} is unknown", cure=f"Choose one of {', '.join(LEVELS)}."
        )
    return str(value)


def seconds(options: Mapping[str, object], name: str, declared: Mapping[str, Option]) -> float:
    """A declared option that is a time.

    Raises:
        DriverError: INVALID.
    """
    value = options.get(name, declared[name].default)
    if not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise DriverError(
            Code.INVALID, f"Option {name}={value!r} is not a positive number of seconds", cure="Correct the option."
        )
    return float(value)
