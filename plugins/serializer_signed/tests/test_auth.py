"""``auth``: certificates decide who is believed, and nothing of anybody else is decoded."""

import base64
import pickle
import random

import pytest

from kernel.contracts.serializer import DecodeLimits, FormatContext
from kernel.errors import DecodeError, EncodeError, ImproperlyConfigured
from plugin_serializer_signed.auth import AuthSerializer, parse
from plugin_serializer_signed.plugin import auth as plugin

from .conftest import INNER, NOW, Clock

LIMITS = DecodeLimits()
BODY = [[1, "zwölf"], {"user": None}, {"callbacks": None}]
SEPARATOR = b"\x00\x01"


@pytest.fixture
def trusted(authority):
    return authority.path("trusted")


def test_the_plugin_says_what_it_is():
    (made,) = plugin.kernel_serializers()
    assert (made.name, made.content_type, made.content_encoding) == ("auth", "application/data", "utf-8")


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"])
def test_round_trip(authority, trusted, digest):
    data = authority.auth("alice", trusted, security_digest=digest).dumps(BODY)
    bob = authority.auth("bob", f"{trusted}/*.crt", security_digest=digest)
    for given in (data, bytearray(data), memoryview(data)):
        assert bob.loads(given, LIMITS) == BODY


def test_the_five_fields(authority, trusted):
    data = authority.auth("alice", trusted).dumps([1])
    signer, signature, content_type, encoding, body = base64.b64decode(data).split(SEPARATOR)
    name, _, serial = base64.b64decode(signer).decode().rpartition(" ")
    assert name == "DE proj authority"
    assert int(serial) > 0
    assert len(base64.b64decode(signature)) == 256
    assert (content_type, encoding, body) == (b"application/json", b"utf-8", b"[1]")


def test_a_signer_without_a_certificate_in_the_store(authority, trusted):
    data = authority.auth("mallory", trusted).dumps(BODY)
    with pytest.raises(DecodeError, match="whose certificate is not in the store"):
        authority.auth("bob", trusted).loads(data, LIMITS)


def test_a_signature_of_somebody_else(authority, trusted):
    alice = base64.b64decode(authority.auth("alice", trusted).dumps(BODY)).split(SEPARATOR, 4)
    mallory = base64.b64decode(authority.auth("mallory", trusted).dumps(["evil"])).split(SEPARATOR, 4)
    bob = authority.auth("bob", trusted)
    for forged in ([alice[0], *mallory[1:]], [*alice[:4], mallory[4]], [alice[0], b"", *alice[2:]]):
        with pytest.raises(DecodeError, match="signature does not fit"):
            bob.loads(base64.b64encode(SEPARATOR.join(forged)), LIMITS)


def test_another_type_inside_is_not_decoded(authority, trusted):
    """The signature does not cover the content type: it must not choose the decoder."""
    fields = base64.b64decode(authority.auth("alice", trusted).dumps(BODY)).split(SEPARATOR, 4)
    fields[2] = b"application/x-python-serialize"
    forged = base64.b64encode(SEPARATOR.join(fields))
    with pytest.raises(DecodeError, match="not accepted inside"):
        authority.auth("bob", trusted).loads(forged, LIMITS)
    fields[2:4] = b"application/json", b"utf-16"
    with pytest.raises(DecodeError, match="content encoding inside"):
        authority.auth("bob", trusted).loads(base64.b64encode(SEPARATOR.join(fields)), LIMITS)


def test_further_types_inside(authority, trusted):
    data = authority.auth("alice", trusted, options={"serializer": "pickle"}).dumps((1, {2}))
    assert authority.auth("bob", trusted, options={"accept": ["pickle"]}).loads(data, LIMITS) == (1, {2})
    with pytest.raises(DecodeError, match="not accepted inside"):
        authority.auth("bob", trusted).loads(data, LIMITS)


def test_time(authority, trusted):
    clock = Clock()
    alice, bob = authority.auth("alice", trusted, clock), authority.auth("bob", trusted, clock)
    data = alice.dumps(BODY)
    for days, problem in ((29.9, ""), (30.1, "has expired"), (-1.1, "is not valid yet")):
        clock.now = NOW + days * 86_400
        if not problem:
            assert bob.loads(data, LIMITS) == BODY
            continue
        with pytest.raises(DecodeError, match=problem):
            bob.loads(data, LIMITS)
        with pytest.raises(EncodeError, match=problem):
            alice.dumps(BODY)


def test_the_store_is_looked_at_again(authority, tmp_path, caplog):
    store = tmp_path / "store"
    store.mkdir()
    bob = store / "bob.crt"
    bob.write_bytes((authority.folder / "bob.crt").read_bytes())
    clock = Clock()
    reader = authority.auth("bob", str(store), clock)
    data = authority.auth("alice", authority.path("trusted"), clock).dumps(BODY)
    with pytest.raises(DecodeError, match="not in the store"):
        reader.loads(data, LIMITS)
    new = store / "alice.crt"
    new.write_bytes((authority.folder / "alice.crt").read_bytes())
    with pytest.raises(DecodeError, match="not in the store"):  # a flood of strangers does not read the disk each time
        reader.loads(data, LIMITS)
    clock.now += 6
    assert reader.loads(data, LIMITS) == BODY
    (store / "junk.crt").write_text("no certificate")  # what was known before stays
    clock.now += 61
    assert reader.loads(data, LIMITS) == BODY
    assert "certificates known before stay in use" in caplog.text
    (store / "junk.crt").unlink()
    new.unlink()  # no longer trusted
    clock.now += 61
    with pytest.raises(DecodeError, match="not in the store"):
        reader.loads(data, LIMITS)


def test_an_expired_certificate_in_the_store_stops_nobody(authority, tmp_path, trusted):
    store = tmp_path / "store"
    authority.certificate("carol", days=(-90, -1))
    store.mkdir()
    for name in ("carol", "alice"):
        (store / f"{name}.crt").write_bytes((authority.folder / f"{name}.crt").read_bytes())
    bob = authority.auth("bob", str(store))
    assert bob.loads(authority.auth("alice", trusted).dumps(BODY), LIMITS) == BODY
    carol = authority.auth("carol", str(store), Clock(NOW - 2 * 86_400)).dumps(BODY)
    with pytest.raises(DecodeError, match="has expired"):
        bob.loads(carol, LIMITS)


def test_a_key_with_a_password(authority, trusted):
    authority.key("dave", password=b"open sesame")
    authority.certificate("dave")
    authority.key("dave", password=b"open sesame")
    assert authority.auth("dave", trusted, password="open sesame").dumps([1])
    for wrong in (None, "close sesame"):
        with pytest.raises(ImproperlyConfigured, match="its password is wrong") as caught:
            authority.auth("dave", trusted, password=wrong)
        assert "close" not in caught.value.one_line()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"security_key": None}, "needs security_key"),
        ({"security_cert_store": None, "security_certificate": None}, "security_certificate and security_cert_store"),
        ({"security_key": "/nowhere/key"}, "'/nowhere/key' cannot be read"),
        ({"security_cert_store": "/nowhere/*.crt"}, "no certificate at '/nowhere"),
        ({"security_key": "alice.crt"}, "no private key"),
        ({"security_certificate": "alice.key"}, "no certificate in PEM"),
        ({"security_certificate": "bob.crt"}, "not the one of the certificate"),
    ],
)
def test_settings_that_cannot_work(authority, trusted, settings, message):
    given = {k: authority.path(v) if v and not v.startswith("/") else v for k, v in settings.items()}
    with pytest.raises(ImproperlyConfigured) as caught:
        authority.auth("alice", trusted, **given)
    assert message in str(caught.value)


def test_keys_that_are_not_rsa_and_names_that_occur_twice(authority, tmp_path, trusted):
    authority.key("eve", kind="ec")
    authority.certificate("eve")
    with pytest.raises(ImproperlyConfigured, match="not of an RSA key"):
        authority.auth("eve", trusted)
    for name in ("one", "two"):
        authority.certificate(name, key="alice", serial=7, into="twins")
    with pytest.raises(ImproperlyConfigured, match="have the name 'DE proj authority 7'"):
        authority.auth("alice", authority.path("twins"))


def test_without_certificates_it_refuses_and_only_where_it_is_needed_it_stops_the_program(authority, trusted):
    names = ("security_key", "security_key_password", "security_certificate", "security_cert_store")
    settings = {**dict.fromkeys(names), "security_digest": "sha256"}
    idle = AuthSerializer().configured(
        FormatContext({"serializer": "json", "accept": ()}, settings, INNER, needed=False)
    )
    with pytest.raises(EncodeError, match="no certificate to sign"):
        idle.dumps(BODY)
    with pytest.raises(DecodeError, match="no certificates to verify"):
        idle.loads(authority.auth("alice", trusted).dumps(BODY), LIMITS)


def test_any_bytes_give_a_decode_error(authority, trusted):
    bob = authority.auth("bob", trusted)
    data = authority.auth("alice", trusted).dumps(BODY)
    chance = random.Random(3)
    for _ in range(300):
        plain = bytearray(base64.b64decode(data))
        plain[chance.randrange(len(plain))] ^= chance.randint(1, 255)
        try:
            assert bob.loads(base64.b64encode(plain), LIMITS) == BODY  # a byte of the type or the encoding's case
        except DecodeError:
            continue
    for junk in (b"", b"=", data[:-3], data + b"x", data + b"\n", pickle.dumps(BODY), b"AAE" * 99, "ü".encode()):
        with pytest.raises(DecodeError):
            bob.loads(junk, LIMITS)
    assert parse(data).body.startswith(b"[[1,")
    with pytest.raises(DecodeError, match="above the limit"):
        bob.loads(data, DecodeLimits(max_bytes=len(data) - 1))
