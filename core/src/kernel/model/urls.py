"""URLs that may be shown: passwords and other secrets in them are masked (features.md 1.16)."""

import re

MASK = "********"

_SECRET_PARAMETER = re.compile(
    r"(?P<before>[?&][^=&\s;]*(?:password|passwd|pwd|secret|token|key|credential|signature)[^=&\s;]*=)[^&#\s;]*",
    re.IGNORECASE,
)


def masked_url(url: str) -> str:
    """The URL, or ``;``-joined URLs, with every password and secret parameter replaced by ``********``.

    A password may itself contain ``/`` or ``@`` unescaped; everything up to the last ``@`` before the host is
    masked then.
    """
    return ";".join(_mask(part) for part in url.split(";"))


def _mask(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    userinfo, at, host = rest.rpartition("@")
    if at and ":" in userinfo:
        user = userinfo.partition(":")[0]
        rest = f"{user}:{MASK}@{host}"
    return _SECRET_PARAMETER.sub(rf"\g<before>{MASK}", f"{scheme}://{rest}")
