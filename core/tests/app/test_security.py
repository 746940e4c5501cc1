"""``app.setup_security()``: what Celery's does with the settings; the files are the plugin's business."""

from pathlib import Path

import pytest

from kernel import Kernel
from kernel.errors import ImproperlyConfigured

FILES = {"key": Path("a.key"), "cert": "a.crt", "store": "certs/*.crt"}


def app(**settings):
    given = {"task_serializer": "auth", "accept_content": ["auth"], **settings}
    return Kernel("secure", set_as_current=False, **given)


def test_arguments_become_settings():
    made = app()
    made.setup_security(
        **FILES, key_password="s3cret", digest="sha512", serializer="yaml", allowed_serializers=["json"]
    )
    conf = made.conf
    assert (conf.security_key, conf.security_certificate, conf.security_cert_store) == ("a.key", "a.crt", "certs/*.crt")
    assert (conf.security_digest, conf.security_key_password) == ("sha512", "s3cret")
    assert conf.plugin_options == {"serializer.auth": {"serializer": "yaml", "accept": ["json"]}}
    assert "s3cret" not in conf.humanize()


def test_settings_do_for_what_is_not_given():
    made = app(
        security_key="b.key", security_certificate="b.crt", security_cert_store="store", security_digest="sha384",
        plugin_options={"serializer.signed": {"encrypt": True}},
    )  # fmt: skip
    made.setup_security(cert="c.crt")
    conf = made.conf
    assert (conf.security_key, conf.security_certificate, conf.security_digest) == ("b.key", "c.crt", "sha384")
    assert conf.plugin_options["serializer.signed"] == {"encrypt": True}


@pytest.mark.parametrize("settings", [{"accept_content": ["auth", "json"]}, {"task_serializer": "json"}])
def test_signatures_that_nobody_checks_are_refused(settings):
    with pytest.raises(ImproperlyConfigured, match=r"needs task_serializer 'auth' and accept_content \['auth'\]"):
        app(**settings).setup_security(**FILES)


def test_missing_files_are_named():
    with pytest.raises(ImproperlyConfigured, match="needs security_key and security_cert_store"):
        app().setup_security(cert="a.crt")


def test_unknown_digests_are_refused():
    with pytest.raises(ImproperlyConfigured, match="security_digest = 'md5'"):
        app().setup_security(**FILES, digest="md5")
