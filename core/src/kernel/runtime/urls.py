"""The URLs in use, which choose the drivers."""

from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config

EMBEDDED_URL = "sqlite:///kernel.sqlite3"
"""Broker and result backend when nothing is configured: one file in the working directory."""

DISABLED = frozenset({"disabled", "disabled://"})
"""Values of ``result_backend`` that turn results off, also beside the embedded broker (features.md 2.9)."""


def urls(config: Config) -> tuple[str, str | None]:
    """The broker URL and the backend URL in use (architecture.md 1, "Embedded default").

    Raises:
        ImproperlyConfigured: for a URL without a scheme.
    """
    broker = config.broker_url
    if isinstance(broker, tuple):
        broker = ";".join(broker)
    backend = config.result_backend or None
    if not broker:
        broker, backend = EMBEDDED_URL, backend or EMBEDDED_URL
    if backend in DISABLED:
        backend = None
    for name, url in (("broker_url", broker), ("result_backend", backend), ("control_url", config.control_url)):
        if url and ":" not in url:
            raise ImproperlyConfigured(
                f"{name} {url!r} is not a URL", cure="Write it as scheme://…, such as sqlite:///tasks.sqlite3."
            )
    return broker, backend
