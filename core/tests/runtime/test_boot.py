"""Which URLs are in use (architecture.md 1, "Embedded default")."""

import pytest

from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config
from kernel.runtime.urls import EMBEDDED_URL, urls


@pytest.mark.parametrize(
    ("settings", "used"),
    [
        ({}, (EMBEDDED_URL, EMBEDDED_URL)),
        ({"result_backend": "memory://x"}, (EMBEDDED_URL, "memory://x")),
        ({"result_backend": "disabled"}, (EMBEDDED_URL, None)),
        ({"result_backend": "disabled://"}, (EMBEDDED_URL, None)),
        ({"broker_url": "memory://x"}, ("memory://x", None)),
        ({"broker_url": "memory://x", "result_backend": "memory://y"}, ("memory://x", "memory://y")),
        ({"broker_url": ("amqp://a", "amqp://b")}, ("amqp://a;amqp://b", None)),
    ],
)
def test_urls(settings, used):
    assert urls(Config(**settings)) == used


@pytest.mark.parametrize("setting", ["broker_url", "result_backend"])
def test_what_is_no_url(setting):
    with pytest.raises(ImproperlyConfigured, match=f"{setting} 'localhost' is not a URL"):
        urls(Config(**{setting: "localhost"}))
