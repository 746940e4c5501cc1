"""Names that MongoDB can hold."""

from kernel.errors import Code, DriverError
from plugin_backend_mongo.layout import is_text


def check_text(*names: str) -> None:
    """Refuse names that are no Unicode.

    Raises:
        DriverError: INVALID.
    """
    for name in names:
        if not is_text(name):
            raise DriverError(Code.INVALID, f"The name {name!r:.200} is no Unicode text", cure="Use another name.")
