"""URLs that may be shown (features.md 1.16)."""

from kernel.model.masking import MASK as MASK
from kernel.model.masking import mask_text


def masked_url(url: str) -> str:
    """The URL, or ``;``-joined URLs, with every password and secret parameter replaced by ``********``."""
    return mask_text(url, secret=True)
