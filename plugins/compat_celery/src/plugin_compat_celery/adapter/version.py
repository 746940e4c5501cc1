"""Which Celery the names are those of."""

from importlib.metadata import version
from typing import Final, NamedTuple

__version__: Final = "5.7.0"
"""The version of Celery whose public names these are; libraries decide by it what they may use."""

SERIES: Final = "kernel"


class version_info_t(NamedTuple):  # noqa: N801 - the documented name
    """The parts of a version."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: str


version_info: Final = version_info_t(5, 7, 0, "", "")
VERSION: Final = version_info
VERSION_BANNER: Final = f"{__version__} (kernel {version('kernel')})"
